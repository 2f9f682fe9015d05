//! Everything that the protocol runs in, and the steps that can follow.

use crate::log::{Entry, Log, Producer, Request};
use crate::{Dropped, Size};

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

/// What is under way in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Message {
    Request(Request),
    Refusal(Request),
    /// The answer to a request that was appended at this index. It waits for the replica.
    Acknowledgement(Request, usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    next: Producer,
    /// The latest claim.
    current: Option<Producer>,
    claims: u8,
    /// Markers that are not replicated yet, as far as the coordinator knows.
    pending: Vec<(usize, Producer)>,
    pub(crate) logs: Vec<Log>,
    writers: Vec<Writer>,
    /// Sorted, so that equal states are equal.
    network: Vec<Message>,
    elections: u8,
}

impl World {
    pub(crate) fn new(size: Size) -> Self {
        Self {
            next: Producer { id: 0, epoch: 0 },
            current: None,
            claims: 0,
            pending: Vec::new(),
            logs: vec![Log::default(); size.partitions],
            writers: vec![Writer::Idle; size.writers],
            network: Vec::new(),
            elections: 0,
        }
    }

    /// The worlds that can follow.
    pub(crate) fn steps(&self, size: Size, dropped: Dropped) -> Vec<Self> {
        let mut found = Vec::new();
        for writer in 0..size.writers {
            self.writer_steps(writer, size, dropped, &mut found);
        }
        for (index, (partition, producer)) in self.pending.iter().copied().enumerate() {
            let log = &self.logs[partition];
            let mut next = self.clone();
            if log.has(producer, log.replicated) {
                next.pending.remove(index);
                found.push(next);
                continue;
            }
            if !log.has(producer, log.entries.len()) {
                next.logs[partition].mark(producer);
                found.push(next);
                // The coordinator leaves a partition out that its metadata lacks.
                let mut next = self.clone();
                next.pending.remove(index);
                found.push(next);
            }
        }
        for index in 0..self.network.len() {
            self.deliver(index, dropped, &mut found);
        }
        for partition in 0..size.partitions {
            self.replica_steps(partition, size, dropped, &mut found);
        }
        found
    }

    fn deliver(&self, index: usize, dropped: Dropped, found: &mut Vec<Self>) {
        let mut next = self.clone();
        let message = next.network.remove(index);
        // It is lost.
        found.push(next.clone());
        match message {
            Message::Request(request) => {
                let log = &mut next.logs[request.partition];
                let is_accepted = log.append(request, dropped != Dropped::Epochs);
                let answer = if is_accepted {
                    Message::Acknowledgement(request, log.entries.len() - 1)
                } else {
                    Message::Refusal(request)
                };
                next.send(answer);
                found.push(next);
            }
            Message::Refusal(request) => {
                if let Some(writer) = next.streaming(request.producer) {
                    *writer = Writer::Idle;
                    found.push(next);
                }
            }
            Message::Acknowledgement(request, at) => {
                let log = &next.logs[request.partition];
                let is_replicated = at < log.replicated && log.entries[at] == Entry::Data(request);
                if is_replicated && let Some(Writer::Streams(_, cursors)) = next.streaming(request.producer) {
                    let cursor = &mut cursors[request.partition];
                    *cursor = Cursor { position: request.position, is_in_flight: false, ..*cursor };
                    found.push(next);
                }
            }
        }
    }

    fn send(&mut self, message: Message) {
        self.network.push(message);
        self.network.sort_unstable();
    }

    /// The writer that streams under a producer id and epoch.
    fn streaming(&mut self, producer: Producer) -> Option<&mut Writer> {
        self.writers.iter_mut().find(|writer| matches!(writer, Writer::Streams(own, _) if *own == producer))
    }

    fn replica_steps(&self, partition: usize, size: Size, dropped: Dropped, found: &mut Vec<Self>) {
        let log = &self.logs[partition];
        let with = |change: &dyn Fn(&mut Log)| {
            let mut next = self.clone();
            change(&mut next.logs[partition]);
            next
        };
        if log.replicated < log.entries.len() {
            found.push(with(&|log| log.replicated += 1));
        }
        let kept = if dropped == Dropped::CleanElection { log.replicated.saturating_sub(1) } else { log.replicated };
        if kept < log.entries.len() && self.elections < size.elections {
            let mut next = with(&|log| log.elect(kept));
            next.elections += 1;
            found.push(next);
        }
        if dropped == Dropped::Renewal {
            found.push(with(&|log| log.producers.clear()));
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
                if dropped == Dropped::Transaction || (dropped == Dropped::OneMode && index == 0) {
                    found.push(with(Writer::Ended(*producer, vec![None; size.partitions])));
                } else if is_current && is_proven {
                    let mut next = with(Writer::Ended(*producer, vec![None; size.partitions]));
                    next.pending.extend((0..size.partitions).map(|partition| (partition, *producer)));
                    found.push(next);
                }
            }
            Writer::Ended(producer, tails) if tails.iter().all(Option::is_some) => {
                if producer.epoch >= size.last_epoch && dropped != Dropped::LastEpochs {
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
                    let visible = log.replicated;
                    let tail = match dropped {
                        Dropped::Transaction | Dropped::Wait => log.tail(None, visible),
                        Dropped::OneMode if index == 0 => log.tail(None, visible),
                        Dropped::OwnMarker => self.pending.is_empty().then(|| log.tail(None, visible)).flatten(),
                        Dropped::HighWatermark => log.tail(Some(*producer), log.entries.len()),
                        _ => log.tail(Some(*producer), visible),
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
                        next.send(Message::Request(Request { producer: *producer, partition, sequence, position }));
                        found.push(next);
                    }
                }
            }
        }
        // A crash, an error, a lost connection: what was sent stays in the network.
        found.push(with(Writer::Idle));
    }

    /// Whether every leader knows that the epochs of the id before can't be written with any more.
    fn is_old_id_fenced(&self, producer: Producer, size: Size) -> bool {
        let is_fenced = |log: &Log| {
            let known = log.producers.get(usize::from(producer.id) - 1).copied().flatten();
            known.is_some_and(|(epoch, _)| epoch >= size.last_epoch)
        };
        producer.id == 0 || self.logs.iter().all(is_fenced)
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
