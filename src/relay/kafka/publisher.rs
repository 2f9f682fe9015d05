//! Publishing: one Kafka transaction per batch, by producers that have fenced every predecessor.
//!
//! A worker alternates between two transactional ids, since a producer cannot begin a transaction before the markers of its last one
//! are written (20 ms each time in librdkafka).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};

use super::ends::Ends;
use super::groups::Groups;
use super::topic::confirm_topic;
use super::{KafkaFailure, KafkaSettings, Record, Tail, drop_elsewhere, tally};
use crate::store::TopicIdentity;

/// Transactional ids of a group. Never fewer than in an earlier release: a predecessor could still commit under an id that is not
/// fenced any more.
const IDS: usize = 2;

/// Interval of polls for delivery reports.
const DRAIN_PAUSE: Duration = Duration::from_micros(100);

/// The producers of one partition group. Only the newest publisher of a group can commit.
pub struct Publisher {
    producers: Vec<BaseProducer<Watch>>,
    topic: String,
    brokers: String,
    commit_timeout: Duration,
    turn: usize,
    ends: Ends,
    /// The topic of the tails, and how to reach it.
    expected: Option<(KafkaSettings, TopicIdentity)>,
}

/// What happened to the connections during a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Nothing; the publisher can be used again.
    Clean,
    /// A connection was lost and restored. A delayed `EndTxn` of this transaction may still arrive and end the next one (KAFKA-17754),
    /// so fence again before publishing more. librdkafka does not report every loss: this only makes the case rarer. The guarantee
    /// rests on the tail being the cursor.
    Reconnected,
}

impl Publisher {
    /// Creates the producers of a group, which fences those of every predecessor and aborts their open transactions.
    ///
    /// # Errors
    /// The error of the cluster, after retries for as long as a commit may take.
    pub fn fence(settings: &KafkaSettings, group: u16) -> Result<Self, KafkaFailure> {
        // In sequence, and a publisher begins with the first id: of two publishers that start at once, the one that lost the first id
        // commits nothing, whoever owns the second. In parallel, each could own one id and both could commit.
        let producers = (0..IDS)
            .map(|id| fenced_producer(settings, &transactional_id(settings, group, id)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            producers,
            topic: settings.topic.clone(),
            brokers: settings.brokers.clone(),
            commit_timeout: settings.commit_timeout(),
            turn: 0,
            ends: Ends::default(),
            expected: None,
        })
    }

    /// Requires records to follow these tails, which were read after the fence. Records that Kafka acknowledges at other offsets are not
    /// committed: the topic was deleted and created again meanwhile.
    pub fn follow(&mut self, tails: &[Tail], settings: &KafkaSettings, topic: Option<&TopicIdentity>) {
        self.expected = topic.map(|topic| (settings.clone(), topic.clone()));
        self.ends = Ends::new(tails.iter().map(|tail| (tail.shard, tail.end)));
    }

    /// Publishes records in one transaction. After an error the outcome is unknown: drop the publisher and read the tails.
    ///
    /// # Errors
    /// [`KafkaFailure::BatchTooLarge`] if the topic may accept fewer records at once, [`KafkaFailure::RecordTooLarge`] if it does not
    /// accept one alone; nothing was published then. After any other error the records may or may not be on the topic.
    pub fn publish(&mut self, records: impl IntoIterator<Item = Record>) -> Result<Published, KafkaFailure> {
        let mut groups = Groups::default();
        self.publish_groups(records, &mut groups).map_err(|failure| match failure {
            Failure::Refused(partition, error) => groups.refused(partition, error, &self.topic, &self.brokers),
            Failure::Other(failure) => failure,
        })
    }

    fn publish_groups(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        groups: &mut Groups,
    ) -> Result<Published, Failure> {
        // librdkafka sends what is queued at once: records built in between would go to the broker in many small requests.
        let records: Vec<Record> = records.into_iter().inspect(|record| groups.add(record)).collect();
        let deadline = Instant::now() + self.commit_timeout;
        let producer = &self.producers[self.turn];
        self.turn = (self.turn + 1) % self.producers.len();

        // Handle the events from before this transaction first.
        producer.poll(Duration::ZERO);
        producer.context().was_disconnected.store(false, Ordering::Release);
        producer.context().set_ends(self.ends.clone());
        producer.begin_transaction().map_err(|error| KafkaFailure::Call("begin a transaction", error))?;
        for record in records {
            enqueue(producer, &self.topic, record, deadline)?;
        }
        drain(producer, deadline)?;
        self.ends = producer.context().take_ends();
        self.ends.check()?;
        // Offsets cannot tell a new topic from an old one at the first record of a partition.
        if self.ends.take_begun()
            && let Some((settings, topic)) = &self.expected
        {
            confirm_topic(settings, topic)?;
        }
        commit(producer, deadline)?;
        let was_disconnected = producer.context().was_disconnected.load(Ordering::Acquire);
        Ok(if was_disconnected { Published::Reconnected } else { Published::Clean })
    }
}

/// Why a transaction was not committed.
enum Failure {
    /// A record was not delivered to its partition.
    Refused(i32, KafkaError),
    Other(KafkaFailure),
}

impl From<KafkaFailure> for Failure {
    fn from(failure: KafkaFailure) -> Self {
        Self::Other(failure)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop_elsewhere(std::mem::take(&mut self.producers));
    }
}

/// A transactional id of a partition group.
pub(super) fn transactional_id(settings: &KafkaSettings, group: u16, id: usize) -> String {
    format!("{}.group-{group}.{id}", settings.topic)
}

fn fenced_producer(settings: &KafkaSettings, transactional_id: &str) -> Result<BaseProducer<Watch>, KafkaFailure> {
    let deadline = Instant::now() + settings.commit_timeout();
    let producer: BaseProducer<Watch> =
        settings.producer(transactional_id).create_with_context(Watch::default()).map_err(KafkaFailure::Settings)?;
    // A client without a connection waits half a second before it looks up its transaction coordinator.
    producer
        .client()
        .fetch_metadata(Some(&settings.topic), KafkaSettings::CALL_TIMEOUT)
        .map_err(|error| KafkaFailure::Call("answer with metadata", error))?;
    retry(deadline, || producer.init_transactions(KafkaSettings::CALL_TIMEOUT))
        .map_err(|error| KafkaFailure::Call("fence the predecessors", error))?;
    Ok(producer)
}

fn enqueue(producer: &BaseProducer<Watch>, topic: &str, record: Record, deadline: Instant) -> Result<(), Failure> {
    let mut message = BaseRecord::to(topic)
        .partition(record.partition)
        .key(&record.key)
        .payload(&record.value)
        .headers(record.headers);
    loop {
        match producer.send(message) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) if Instant::now() < deadline => {
                message = refused;
                producer.poll(Duration::ZERO);
                thread::sleep(DRAIN_PAUSE);
            }
            Err((error, _)) => return Err(Failure::Refused(record.partition, error)),
        }
    }
}

/// Waits until every record is delivered. A commit with records in flight takes 100 ms.
fn drain(producer: &BaseProducer<Watch>, deadline: Instant) -> Result<(), Failure> {
    loop {
        producer.poll(Duration::ZERO);
        if let Some((partition, error)) = producer.context().take_failure() {
            return Err(Failure::Refused(partition, error));
        }
        let under_way = producer.in_flight_count();
        if under_way == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(KafkaFailure::DeliveryTimeout(under_way).into());
        }
        thread::sleep(DRAIN_PAUSE);
    }
}

fn commit(producer: &BaseProducer<Watch>, deadline: Instant) -> Result<(), Failure> {
    let remaining = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
    retry(deadline, || producer.commit_transaction(remaining()))
        .map_err(|error| KafkaFailure::Call("commit a transaction", error))?;
    producer.poll(Duration::ZERO);
    match producer.context().take_failure() {
        Some((partition, error)) => Err(Failure::Refused(partition, error)),
        None => Ok(()),
    }
}

/// Repeats a call while librdkafka reports it as retriable.
fn retry(deadline: Instant, mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
            result => return result,
        }
    }
}

/// What the callbacks of librdkafka report.
#[derive(Debug, Default)]
struct Watch {
    /// Partition and error of the first record that was not delivered.
    failure: Mutex<Option<(i32, KafkaError)>>,
    was_disconnected: AtomicBool,
    ends: Mutex<Ends>,
}

impl Watch {
    fn set_ends(&self, ends: Ends) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }

    fn take_ends(&self) -> Ends {
        std::mem::take(&mut self.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_failure(&self) -> Option<(i32, KafkaError)> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Watch {
    /// librdkafka reports the loss of the coordinator's connection only in its log.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            self.was_disconnected.store(true, Ordering::Release);
        }
        tracing::debug!(severity = ?level, facility, text = message, "Kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let is_disconnect = matches!(
            error,
            KafkaError::Global(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
        );
        if is_disconnect {
            self.was_disconnected.store(true, Ordering::Release);
        }
        tally::count(&error);
        tracing::warn!(%error, reason, "Kafka reports an error");
    }
}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        match result {
            Ok(record) => {
                let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
                ends.note(record.partition(), record.offset());
            }
            Err((error, record)) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| (record.partition(), error.clone()));
            }
        }
    }
}
