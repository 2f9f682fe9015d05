//! A model of the protocol, explored exhaustively: writers, the coordinator, partition leaders, requests that arrive at any later time
//! or never, and writers that crash or stop at any point. No interleaving repeats or skips a position. Each condition that is dropped
//! makes the exploration find one that does.

#![expect(clippy::unwrap_used, reason = "a tail is known when it is used")]
#![expect(clippy::print_stderr, reason = "a run says how much it explored")]

use std::collections::{HashSet, VecDeque};

/// What is left out of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    Nothing,
    /// The empty transaction: a writer reads the tails after `InitProducerId`.
    Transaction,
    /// The wait for the own marker: a writer reads the tails after the answer to `EndTxn`.
    Wait,
    /// The marker in each log: a writer reads the tails once the coordinator has no marker left to write. It may leave one out.
    OwnMarker,
    /// The end of the session at a lost answer: a writer sends the same position as a new batch.
    EndAtLoss,
    /// The renewal of the fence: a leader forgets the epochs of a producer while a zombie's request is under way.
    Renewal,
    /// The proof that the old producer id is fenced everywhere before a new one is used.
    OldId,
}

/// Size of a model.
#[derive(Clone, Copy, Debug)]
struct Size {
    writers: usize,
    partitions: usize,
    /// Claims in all.
    claims: u8,
    /// Positions of each partition.
    positions: u8,
    /// First epoch that is never written with.
    last_epoch: u8,
}

/// Producer id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Producer {
    id: u8,
    epoch: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Data(u8),
    Marker(Producer),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Log {
    entries: Vec<Entry>,
    /// Epoch and next sequence of each producer id.
    producers: Vec<Option<(u8, u8)>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Claimed(Producer),
    /// `EndTxn` was answered. Tails that were read so far.
    Ended(Producer, Vec<Option<u8>>),
    Streams(Producer, Vec<Cursor>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Cursor {
    position: u8,
    sequence: u8,
    is_in_flight: bool,
}

/// A produce request in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    producer: Producer,
    partition: usize,
    sequence: u8,
    position: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    next: Producer,
    /// The latest claim.
    current: Option<Producer>,
    claims: u8,
    /// Markers that the coordinator has still to write.
    pending: Vec<(usize, Producer)>,
    logs: Vec<Log>,
    writers: Vec<Writer>,
    /// Sorted, so that equal states are equal.
    network: Vec<Request>,
}

impl Log {
    fn entry(&mut self, id: u8) -> &mut Option<(u8, u8)> {
        let index = usize::from(id);
        if self.producers.len() <= index {
            self.producers.resize(index + 1, None);
        }
        &mut self.producers[index]
    }

    fn mark(&mut self, producer: Producer) {
        *self.entry(producer.id) = Some((producer.epoch, 0));
        self.entries.push(Entry::Marker(producer));
    }

    /// What a leader does with a batch; false if it refuses it.
    fn append(&mut self, request: Request) -> bool {
        let known = self.entry(request.producer.id);
        match *known {
            Some((epoch, _)) if request.producer.epoch < epoch => return false,
            Some((epoch, next)) if request.producer.epoch == epoch && request.sequence != next => return false,
            Some((epoch, _)) if request.producer.epoch > epoch && request.sequence != 0 => return false,
            _ => {}
        }
        *known = Some((request.producer.epoch, request.sequence + 1));
        self.entries.push(Entry::Data(request.position));
        true
    }

    /// The last position before the marker of a producer, or of the whole log.
    fn tail(&self, before: Option<Producer>) -> Option<u8> {
        let end = match before {
            None => self.entries.len(),
            Some(producer) => self.entries.iter().position(|entry| *entry == Entry::Marker(producer))?,
        };
        let data = |entry: &Entry| if let Entry::Data(position) = entry { Some(*position) } else { None };
        Some(self.entries[..end].iter().rev().find_map(data).unwrap_or(0))
    }

    fn is_dense(&self) -> bool {
        let data = self.entries.iter().filter_map(|entry| if let Entry::Data(it) = entry { Some(*it) } else { None });
        data.zip(1..).all(|(found, expected)| found == expected)
    }
}

impl World {
    fn new(size: Size) -> Self {
        Self {
            next: Producer { id: 0, epoch: 0 },
            current: None,
            claims: 0,
            pending: Vec::new(),
            logs: vec![Log::default(); size.partitions],
            writers: vec![Writer::Idle; size.writers],
            network: Vec::new(),
        }
    }

    /// The worlds that can follow.
    fn steps(&self, size: Size, dropped: Dropped) -> Vec<Self> {
        let mut found = Vec::new();
        for writer in 0..size.writers {
            self.writer_steps(writer, size, dropped, &mut found);
        }
        for index in 0..self.pending.len() {
            let mut next = self.clone();
            let (partition, producer) = next.pending.remove(index);
            // The coordinator leaves a partition out that its metadata lacks.
            found.push(next.clone());
            next.logs[partition].mark(producer);
            found.push(next);
        }
        for index in 0..self.network.len() {
            let mut next = self.clone();
            let request = next.network.remove(index);
            // The request is lost, and so is its answer.
            found.push(next.clone());
            let is_accepted = next.logs[request.partition].append(request);
            // The answer is lost.
            found.push(next.clone());
            next.answer(request, is_accepted);
            found.push(next);
        }
        if dropped == Dropped::Renewal {
            for partition in 0..size.partitions {
                let mut next = self.clone();
                next.logs[partition].producers.clear();
                found.push(next);
            }
        }
        found
    }

    fn answer(&mut self, request: Request, is_accepted: bool) {
        for writer in &mut self.writers {
            if let Writer::Streams(producer, cursors) = writer
                && *producer == request.producer
            {
                if is_accepted {
                    let cursor = &mut cursors[request.partition];
                    *cursor = Cursor { position: request.position, is_in_flight: false, ..*cursor };
                } else {
                    *writer = Writer::Idle;
                }
                return;
            }
        }
    }

    fn writer_steps(&self, index: usize, size: Size, dropped: Dropped, found: &mut Vec<Self>) {
        let with = |writer: Writer| {
            let mut next = self.clone();
            next.writers[index] = writer;
            next
        };
        match &self.writers[index] {
            Writer::Idle => {
                // The coordinator answers only when the markers of the last transaction are written.
                if self.claims < size.claims && self.pending.is_empty() {
                    found.push(self.claimed(index, size));
                }
                return;
            }
            Writer::Claimed(producer) => {
                let is_current = self.current == Some(*producer);
                let is_proven = dropped == Dropped::OldId || self.is_old_id_fenced(*producer, size);
                if dropped == Dropped::Transaction {
                    found.push(with(Writer::Ended(*producer, vec![None; size.partitions])));
                } else if is_current && is_proven {
                    let mut next = with(Writer::Ended(*producer, vec![None; size.partitions]));
                    next.pending.extend((0..size.partitions).map(|partition| (partition, *producer)));
                    found.push(next);
                }
            }
            Writer::Ended(producer, tails) if tails.iter().all(Option::is_some) => {
                if producer.epoch >= size.last_epoch {
                    // Only its fence is wanted; the writer claims again at once.
                    if self.claims < size.claims && self.pending.is_empty() {
                        found.push(self.claimed(index, size));
                    }
                } else {
                    let cursor =
                        |tail: &Option<u8>| Cursor { position: tail.unwrap(), sequence: 0, is_in_flight: false };
                    found.push(with(Writer::Streams(*producer, tails.iter().map(cursor).collect())));
                }
            }
            Writer::Ended(producer, tails) => {
                for partition in (0..size.partitions).filter(|partition| tails[*partition].is_none()) {
                    let log = &self.logs[partition];
                    let tail = match dropped {
                        Dropped::Transaction | Dropped::Wait => log.tail(None),
                        Dropped::OwnMarker => self.pending.is_empty().then(|| log.tail(None)).flatten(),
                        _ => log.tail(Some(*producer)),
                    };
                    if tail.is_some() {
                        let mut tails = tails.clone();
                        tails[partition] = tail;
                        found.push(with(Writer::Ended(*producer, tails)));
                    }
                }
            }
            Writer::Streams(producer, cursors) => {
                for (partition, cursor) in cursors.iter().enumerate() {
                    let mut cursors = cursors.clone();
                    if cursor.is_in_flight {
                        if dropped == Dropped::EndAtLoss {
                            cursors[partition].is_in_flight = false;
                            found.push(with(Writer::Streams(*producer, cursors)));
                        }
                    } else if cursor.position < size.positions {
                        cursors[partition] = Cursor { sequence: cursor.sequence + 1, is_in_flight: true, ..*cursor };
                        let mut next = with(Writer::Streams(*producer, cursors));
                        let (sequence, position) = (cursor.sequence, cursor.position + 1);
                        next.network.push(Request { producer: *producer, partition, sequence, position });
                        next.network.sort_unstable();
                        found.push(next);
                    }
                }
            }
        }
        // A crash, an error, a lost connection: what was sent stays in the network.
        found.push(with(Writer::Idle));
    }

    /// Whether every partition shows that the epochs of the id before can't be written with any more.
    fn is_old_id_fenced(&self, producer: Producer, size: Size) -> bool {
        let is_last = |entry: &Entry| match entry {
            Entry::Marker(marker) => marker.id + 1 == producer.id && marker.epoch >= size.last_epoch,
            Entry::Data(_) => false,
        };
        producer.id == 0 || self.logs.iter().all(|log| log.entries.iter().any(is_last))
    }

    fn claimed(&self, index: usize, size: Size) -> Self {
        let mut next = self.clone();
        let producer = next.next;
        next.claims += 1;
        next.current = Some(producer);
        let rotates = producer.epoch >= size.last_epoch;
        next.next = if rotates {
            Producer { id: producer.id + 1, epoch: 0 }
        } else {
            Producer { epoch: producer.epoch + 1, ..producer }
        };
        next.writers[index] = Writer::Claimed(producer);
        next
    }
}

/// Explores every world; returns their number, or the first one with a repeated or missing position.
fn explore(size: Size, dropped: Dropped) -> Result<usize, Box<World>> {
    let first = World::new(size);
    let mut seen = HashSet::from([first.clone()]);
    let mut queue = VecDeque::from([first]);
    while let Some(world) = queue.pop_front() {
        for next in world.steps(size, dropped) {
            if !next.logs.iter().all(Log::is_dense) {
                return Err(Box::new(next));
            }
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    Ok(seen.len())
}

const SMALL: Size = Size { writers: 2, partitions: 1, claims: 3, positions: 3, last_epoch: 100 };

#[test]
fn no_interleaving_repeats_or_skips_a_position() {
    for size in [
        SMALL,
        Size { writers: 3, claims: 3, positions: 2, ..SMALL },
        Size { partitions: 2, claims: 2, positions: 2, ..SMALL },
        // The second claim only fences; the third gets a new id.
        Size { claims: 4, positions: 2, last_epoch: 1, ..SMALL },
    ] {
        match explore(size, Dropped::Nothing) {
            Ok(worlds) => eprintln!("{size:?}: {worlds} worlds"),
            Err(world) => panic!("{size:?}: {world:#?}"),
        }
    }
}

#[test]
fn each_dropped_condition_is_found() {
    for dropped in [Dropped::Transaction, Dropped::Wait, Dropped::OwnMarker, Dropped::EndAtLoss, Dropped::Renewal] {
        assert!(explore(SMALL, dropped).is_err(), "{dropped:?}");
    }
    assert!(explore(Size { positions: 2, last_epoch: 1, ..SMALL }, Dropped::OldId).is_err());
}
