//! The sender: one request at a time for each leader with something to send, at most one batch in flight for each partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{BrokerId, MetadataResponse, ProduceRequest, ProduceResponse};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::partition::Partition;
use super::progress::Progress;
use super::{End, Work};
use crate::cluster::Cluster;
use crate::connection::Api;
use crate::error::malformed;
use crate::fence::{Links, Producer};
use crate::{Clock, Failure, Lane};

/// All in-sync replicas.
const ACKS_ALL: i16 = -1;

/// The task behind a session. It owns the fence: when it ends, nothing can be sent under that epoch any more.
pub(super) struct Sender {
    lane: Lane,
    producer: Producer,
    links: Links,
    partitions: BTreeMap<i32, Partition>,
    leaders: BTreeMap<BrokerId, Leader>,
    clock: Arc<dyn Clock>,
    /// Boot-time clock before the fence.
    began: Duration,
    request_timeout: Duration,
    progress: Arc<Progress>,
    answers: FuturesUnordered<BoxFuture<'static, (BrokerId, Answer)>>,
}

/// What is known of a leader.
struct Leader {
    in_flight: usize,
    last_request: Instant,
    /// The partition that comes first in the next request.
    first: i32,
}

enum Answer {
    /// To a request for these partitions.
    Produced(Vec<i32>, Result<ProduceResponse, Failure>),
    Layout(Result<MetadataResponse, Failure>),
}

impl Sender {
    pub(super) fn new(
        cluster: &Cluster,
        lane: Lane,
        producer: Producer,
        links: Links,
        partitions: BTreeMap<i32, Partition>,
        began: Duration,
        progress: Arc<Progress>,
    ) -> Self {
        let now = Instant::now();
        // The first request need not wait for the floor.
        let last_request = now.checked_sub(lane.limits.floor).unwrap_or(now);
        let leader = |broker: &BrokerId| (*broker, Leader { in_flight: 0, last_request, first: 0 });
        Self {
            leaders: links.connections.keys().map(leader).collect(),
            lane,
            producer,
            links,
            partitions,
            clock: Arc::clone(&cluster.settings().clock),
            began,
            request_timeout: cluster.settings().request_timeout,
            progress,
            answers: FuturesUnordered::new(),
        }
    }

    /// Sends until the session ends; `None` if its owner dropped it.
    pub(super) async fn run(mut self, queue: &mut mpsc::UnboundedReceiver<Work>) -> Option<End> {
        let mut losses: FuturesUnordered<_> =
            self.links.connections.values().map(crate::connection::Connection::lost).collect();
        loop {
            let step = match self.step().await {
                Ok(Some(wake)) => wake,
                Ok(None) => return Some(End::Renewal),
                Err(failure) => return Some(End::Failed(failure)),
            };
            let handled = tokio::select! {
                work = queue.recv() => match work {
                    Some(work) => self.accept(work),
                    None => return None,
                },
                Some((broker, answer)) = self.answers.next() => self.handle(broker, answer),
                Some(failure) = losses.next() => Err(failure),
                () = tokio::time::sleep_until(step) => Ok(()),
            };
            if let Err(failure) = handled {
                return Some(End::Failed(failure));
            }
            // Whatever else arrived meanwhile goes into the same requests.
            while let Ok(work) = queue.try_recv() {
                if let Err(failure) = self.accept(work) {
                    return Some(End::Failed(failure));
                }
            }
        }
    }

    fn accept(&mut self, work: Work) -> Result<(), Failure> {
        for (number, records) in work.0 {
            self.partitions.get_mut(&number).ok_or(Failure::NoLeader(number))?.push(records);
        }
        Ok(())
    }

    /// Sends what is due. Returns when to look again, or `None` if the fence is due for renewal and nothing is in flight.
    async fn step(&mut self) -> Result<Option<Instant>, Failure> {
        let age = self.clock.since_boot().saturating_sub(self.began);
        if age >= self.lane.renewal * 2 {
            return Err(Failure::FenceExpired(age));
        }
        if age >= self.lane.renewal {
            // Nothing new is sent any more; the answers to the rest are awaited.
            let wake = Instant::now() + self.request_timeout;
            return Ok((!self.answers.is_empty()).then_some(wake));
        }
        let mut wake = Instant::now() + self.lane.renewal.saturating_sub(age);
        for broker in self.leaders.keys().copied().collect::<Vec<_>>() {
            wake = wake.min(self.serve(broker).await?);
        }
        Ok(Some(wake))
    }

    /// Sends what is due to one leader; returns when to look again.
    async fn serve(&mut self, broker: BrokerId) -> Result<Instant, Failure> {
        let missing = || malformed("the lane", format!("broker {} has no connection", broker.0));
        let limits = self.lane.limits;
        loop {
            let leader = self.leaders.get_mut(&broker).ok_or_else(missing)?;
            let connection = self.links.connections.get_mut(&broker).ok_or_else(missing)?;
            let now = Instant::now();
            let later = now + limits.keep_alive;
            if connection.renew_at().is_some_and(|at| at <= now) {
                if leader.in_flight > 0 {
                    return Ok(later);
                }
                connection.authenticate().await?;
                continue;
            }
            if let Some(until) = connection.throttled_until().filter(|until| *until > now) {
                return Ok(until);
            }
            if leader.in_flight >= limits.in_flight.max(1) {
                return Ok(later);
            }
            let keep_alive = leader.last_request + limits.keep_alive;
            let led = self.links.layout.led_by(broker);
            let is_ready = |partition: &i32| self.partitions.get(partition).is_some_and(Partition::is_ready);
            if !led.iter().any(is_ready) {
                if keep_alive > now {
                    let renew_at = connection.renew_at().unwrap_or(keep_alive);
                    return Ok(keep_alive.min(renew_at));
                }
                let pending = connection.submit(&crate::cluster::metadata_request(&self.lane.topic))?;
                leader.in_flight += 1;
                leader.last_request = now;
                self.answers.push(Box::pin(async move { (broker, Answer::Layout(pending.response().await)) }));
                continue;
            }
            let due = leader.last_request + limits.floor;
            if due > now {
                return Ok(due);
            }
            self.send(broker, &led)?;
        }
    }

    /// Sends one request with a batch for each partition of a leader that has one, as far as the request's limit goes.
    fn send(&mut self, broker: BrokerId, led: &[i32]) -> Result<(), Failure> {
        let missing = || malformed("the lane", format!("broker {} has no connection", broker.0));
        let leader = self.leaders.get_mut(&broker).ok_or_else(missing)?;
        let connection = self.links.connections.get_mut(&broker).ok_or_else(missing)?;
        let limits = &self.lane.limits;
        let now = self.clock.since_boot();
        let first = led.partition_point(|partition| *partition < leader.first);
        let (before, after) = led.split_at(first);
        let (mut data, mut sent, mut bytes) = (Vec::new(), Vec::new(), 0);
        for number in after.iter().chain(before) {
            if bytes >= limits.request_bytes {
                leader.first = *number;
                break;
            }
            let Some(partition) = self.partitions.get_mut(number) else { continue };
            let Some(batch) = partition.next_batch(self.producer, limits, now)? else { continue };
            bytes += batch.len();
            sent.push(*number);
            data.push(PartitionProduceData::default().with_index(*number).with_records(Some(batch)));
        }
        let topic = self.links.layout.produce(connection, &self.lane.topic, data)?;
        let request = ProduceRequest::default()
            .with_acks(ACKS_ALL)
            .with_timeout_ms(i32::try_from(self.request_timeout.as_millis()).unwrap_or(i32::MAX))
            .with_topic_data(vec![topic]);
        let not_after = self.began + self.lane.renewal * 2;
        let pending = connection.submit_before(&request, Some(not_after))?;
        leader.in_flight += 1;
        leader.last_request = Instant::now();
        self.answers.push(Box::pin(async move { (broker, Answer::Produced(sent, pending.response().await)) }));
        Ok(())
    }

    fn handle(&mut self, broker: BrokerId, answer: Answer) -> Result<(), Failure> {
        if let Some(leader) = self.leaders.get_mut(&broker) {
            leader.in_flight = leader.in_flight.saturating_sub(1);
        }
        match answer {
            Answer::Layout(response) => self.links.check_layout(&response?),
            Answer::Produced(partitions, response) => self.produced(&partitions, &response?),
        }
    }

    /// Anything but a clean acknowledgement of every batch, where it has to be, is a failure.
    fn produced(&mut self, sent: &[i32], response: &ProduceResponse) -> Result<(), Failure> {
        let answers = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        let answers: BTreeMap<i32, &PartitionProduceResponse> = answers.map(|answer| (answer.index, answer)).collect();
        let mut failure = None;
        for number in sent {
            let missing = || malformed(ProduceRequest::NAME, format!("partition {number} is missing"));
            let acknowledged = answers.get(number).ok_or_else(missing).and_then(|answer| self.landed(*number, answer));
            if let Err(error) = acknowledged {
                // The other partitions of the request have their own answers.
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn landed(&mut self, number: i32, answer: &PartitionProduceResponse) -> Result<(), Failure> {
        let unknown = || malformed(ProduceRequest::NAME, format!("partition {number} has no batch in flight"));
        let partition = self.partitions.get_mut(&number).ok_or_else(unknown)?;
        let batch = partition.take_in_flight().ok_or_else(unknown)?;
        match ResponseError::try_from_code(answer.error_code) {
            None => {
                let end = partition.advance(number, answer.base_offset, batch.records)?;
                self.progress.acknowledge(number, batch.records, batch.bytes, end);
                Ok(())
            }
            Some(ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge) => {
                Err(Failure::BatchTooLarge { partition: number, records: batch.records, bytes: batch.bytes })
            }
            Some(error) => Err(Failure::PartitionRefused { api: ProduceRequest::NAME, partition: number, error }),
        }
    }
}
