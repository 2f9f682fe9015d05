//! The log of a partition as its leader keeps it, with a replica.

/// Producer id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Producer {
    pub(crate) id: u8,
    pub(crate) epoch: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    Data(Request),
    Marker(Producer),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// The high watermark: how many entries the replica has. Nobody reads further.
    pub(crate) replicated: usize,
    /// Epoch and next sequence of each producer id.
    pub(crate) producers: Vec<Option<(u8, u8)>>,
}

/// A produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Request {
    pub(crate) producer: Producer,
    pub(crate) partition: usize,
    pub(crate) sequence: u8,
    pub(crate) position: u8,
}

impl Log {
    fn entry(&mut self, id: u8) -> &mut Option<(u8, u8)> {
        let index = usize::from(id);
        if self.producers.len() <= index {
            self.producers.resize(index + 1, None);
        }
        &mut self.producers[index]
    }

    pub(crate) fn mark(&mut self, producer: Producer) {
        *self.entry(producer.id) = Some((producer.epoch, 0));
        self.entries.push(Entry::Marker(producer));
    }

    /// What a leader does with a batch; false if it refuses it.
    pub(crate) fn append(&mut self, request: Request, compares_epochs: bool) -> bool {
        let known = self.entry(request.producer.id);
        match *known {
            Some((epoch, _)) if compares_epochs && request.producer.epoch < epoch => return false,
            Some((epoch, next)) if request.producer.epoch <= epoch && request.sequence != next => return false,
            Some((epoch, _)) if request.producer.epoch > epoch && request.sequence != 0 => return false,
            _ => {}
        }
        let epoch = known.map_or(0, |(epoch, _)| epoch).max(request.producer.epoch);
        *known = Some((epoch, request.sequence + 1));
        self.entries.push(Entry::Data(request));
        true
    }

    /// A replica with so many entries becomes the leader. It rebuilds what it knows of producers from its log.
    pub(crate) fn elect(&mut self, entries: usize) {
        self.entries.truncate(entries);
        self.replicated = self.replicated.min(entries);
        self.producers.clear();
        for entry in self.entries.clone() {
            let (producer, next) = match entry {
                Entry::Data(request) => (request.producer, request.sequence + 1),
                Entry::Marker(producer) => (producer, 0),
            };
            *self.entry(producer.id) = Some((producer.epoch, next));
        }
    }

    pub(crate) fn has(&self, marker: Producer, up_to: usize) -> bool {
        self.entries[..up_to].contains(&Entry::Marker(marker))
    }

    /// The last position before the marker of a producer, or of all, among the first entries.
    pub(crate) fn tail(&self, before: Option<Producer>, up_to: usize) -> Option<u8> {
        let entries = &self.entries[..up_to];
        let end = match before {
            None => entries.len(),
            Some(producer) => entries.iter().position(|entry| *entry == Entry::Marker(producer))?,
        };
        Some(entries[..end].iter().rev().find_map(Entry::position).unwrap_or(0))
    }

    /// Whether a consumer gets each position once and in order.
    pub(crate) fn is_dense(&self) -> bool {
        let data = self.entries[..self.replicated].iter().filter_map(Entry::position);
        data.zip(1..).all(|(found, expected)| found == expected)
    }
}

impl Entry {
    fn position(&self) -> Option<u8> {
        match self {
            Self::Data(request) => Some(request.position),
            Self::Marker(_) => None,
        }
    }
}
