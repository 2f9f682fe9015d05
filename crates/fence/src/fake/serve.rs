//! Answers the requests of a connection.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiKey, ApiVersionsRequest, ApiVersionsResponse, BrokerId,
    DescribeProducersRequest, DescribeProducersResponse, EndTxnRequest, EndTxnResponse, FetchRequest, FetchResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    ProducerId as WireProducerId, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, Request, StrBytes, decode_request_header_from_buffer,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use super::{Markers, State};
use crate::{Producer, ProducerId};

const SERVED: [ApiKey; 12] = [
    ApiKey::AddPartitionsToTxn,
    ApiKey::ApiVersions,
    ApiKey::DescribeProducers,
    ApiKey::EndTxn,
    ApiKey::Fetch,
    ApiKey::FindCoordinator,
    ApiKey::InitProducerId,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::Produce,
    ApiKey::SaslAuthenticate,
    ApiKey::SaslHandshake,
];

/// Serves a connection until it ends.
pub(super) async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    state: &Arc<Mutex<State>>,
    released: &Notify,
) -> io::Result<()> {
    loop {
        let mut frame = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut frame).await?;
        let mut frame = Bytes::from(frame);
        let mut first = frame.clone();
        let header = if first[..2] == [0, 18] && i16::from_be_bytes([first[2], first[3]]) > 3 {
            panic!("ApiVersions above 3")
        } else {
            decode_request_header_from_buffer(&mut first).unwrap()
        };
        frame = first;
        let key = ApiKey::try_from(header.request_api_key).unwrap();
        let version = header.request_api_version;
        let (answer, waits) = {
            let mut state = state.lock().unwrap();
            state.seen.push((key, version));
            if state.silent.contains(&key) {
                continue;
            }
            let correlation = header.correlation_id + state.correlation_shift;
            (state.answer(key, version, frame, correlation), state.holds_produce && key == ApiKey::Produce)
        };
        if waits {
            released.notified().await;
        }
        // In one write: a second small one would wait for the acknowledgement of the first.
        let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &answer[..]].concat()).await?;
        stream.flush().await?;
    }
}

fn encode<R: Request>(response: &R::Response, version: i16, correlation: i32) -> Bytes {
    let mut bytes = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header.encode(&mut bytes, <R::Response as HeaderVersion>::header_version(version)).unwrap();
    response.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}

impl State {
    fn answer(&mut self, key: ApiKey, version: i16, mut body: Bytes, correlation: i32) -> Bytes {
        let scripted =
            self.errors.get_mut(&(key as i16)).filter(|codes| !codes.is_empty()).map_or(0, |codes| codes.remove(0));
        macro_rules! serve {
            ($request:ident, $method:ident) => {{
                let request = $request::decode(&mut body, version).unwrap();
                encode::<$request>(&self.$method(&request, scripted), version, correlation)
            }};
        }
        match key {
            ApiKey::ApiVersions if version > self.api_versions => {
                // In version 0, with the range of this request alone.
                let mut bytes = BytesMut::new();
                bytes.put_i32(correlation);
                bytes.put_i16(ResponseError::UnsupportedVersion.code());
                bytes.put_i32(1);
                for number in [18, 0, self.api_versions] {
                    bytes.put_i16(number);
                }
                bytes.freeze()
            }
            ApiKey::ApiVersions => serve!(ApiVersionsRequest, versions),
            ApiKey::Metadata => serve!(MetadataRequest, metadata),
            ApiKey::FindCoordinator => serve!(FindCoordinatorRequest, coordinator),
            ApiKey::InitProducerId => serve!(InitProducerIdRequest, init),
            ApiKey::AddPartitionsToTxn => serve!(AddPartitionsToTxnRequest, add),
            ApiKey::EndTxn => serve!(EndTxnRequest, end),
            ApiKey::ListOffsets => serve!(ListOffsetsRequest, offsets),
            ApiKey::Fetch => serve!(FetchRequest, fetch),
            ApiKey::Produce => serve!(ProduceRequest, produce),
            ApiKey::DescribeProducers => serve!(DescribeProducersRequest, producers),
            ApiKey::SaslHandshake => serve!(SaslHandshakeRequest, handshake),
            ApiKey::SaslAuthenticate => serve!(SaslAuthenticateRequest, authenticate),
            other => panic!("{other:?} is not served"),
        }
    }

    #[expect(clippy::unused_self, reason = "as every answer")]
    fn versions(&mut self, _: &ApiVersionsRequest, code: i16) -> ApiVersionsResponse {
        let api = |key: &ApiKey| {
            let range = key.valid_versions();
            ApiVersion::default().with_api_key(*key as i16).with_min_version(range.min).with_max_version(range.max)
        };
        ApiVersionsResponse::default().with_error_code(code).with_api_keys(SERVED.iter().map(api).collect())
    }

    fn metadata(&mut self, request: &MetadataRequest, code: i16) -> MetadataResponse {
        let partition = |index: &i32| {
            MetadataResponsePartition::default().with_partition_index(*index).with_leader_id(BrokerId(self.leader))
        };
        let topic = MetadataResponseTopic::default()
            .with_error_code(code)
            .with_name(request.topics.as_ref().unwrap()[0].name.clone())
            .with_partitions(self.logs.keys().map(partition).collect());
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(self.leader))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(self.port.into());
        MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic])
    }

    fn coordinator(&mut self, _: &FindCoordinatorRequest, code: i16) -> FindCoordinatorResponse {
        let host = StrBytes::from_static_str("127.0.0.1");
        FindCoordinatorResponse::default().with_error_code(code).with_host(host).with_port(self.port.into())
    }

    fn init(&mut self, request: &InitProducerIdRequest, code: i16) -> InitProducerIdResponse {
        assert!(request.transactional_id.is_some());
        if code != 0 {
            return InitProducerIdResponse::default().with_error_code(code);
        }
        let Producer { id, epoch } = self.next;
        // As the coordinator does at the end of the epochs.
        self.next = if epoch >= 32_765 {
            Producer { id: ProducerId::new(id.get() + 1), epoch: 0 }
        } else {
            Producer { id, epoch: epoch + 1 }
        };
        InitProducerIdResponse::default().with_producer_id(WireProducerId(id.get())).with_producer_epoch(epoch)
    }

    fn add(&mut self, request: &AddPartitionsToTxnRequest, code: i16) -> AddPartitionsToTxnResponse {
        let topic = &request.v3_and_below_topics[0];
        if code == 0 {
            self.added.extend(&topic.partitions);
        }
        let result = |partition: &i32| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code)
        };
        let results = AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(topic.partitions.iter().map(result).collect());
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(vec![results])
    }

    fn end(&mut self, request: &EndTxnRequest, code: i16) -> EndTxnResponse {
        assert!(!request.committed);
        if code == 0 {
            let producer = Producer { id: ProducerId::new(request.producer_id.0), epoch: request.producer_epoch };
            let partitions = std::mem::take(&mut self.added);
            self.outstanding.push((producer, partitions));
            if self.markers == Markers::AtOnce || matches!(self.markers, Markers::NotIn(_)) {
                self.write_markers();
            }
        }
        EndTxnResponse::default().with_error_code(code)
    }

    fn write_markers(&mut self) {
        for (producer, partitions) in std::mem::take(&mut self.outstanding) {
            for partition in partitions.into_iter().filter(|it| self.markers != Markers::NotIn(*it)) {
                let log = self.logs.get_mut(&partition).unwrap();
                if partition == 0
                    && let Some((zombie, value)) = self.overtaking.take()
                {
                    log.write(zombie, &[value], false);
                }
                log.mark(producer);
            }
        }
    }

    fn offsets(&mut self, request: &ListOffsetsRequest, code: i16) -> ListOffsetsResponse {
        let topic = &request.topics[0];
        let partition = |asked: &kafka_protocol::messages::list_offsets_request::ListOffsetsPartition| {
            let end = self.logs[&asked.partition_index].end;
            ListOffsetsPartitionResponse::default()
                .with_error_code(code)
                .with_partition_index(asked.partition_index)
                .with_offset(if asked.timestamp == -2 { 0 } else { end })
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        let topic = ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions);
        ListOffsetsResponse::default().with_topics(vec![topic])
    }

    fn fetch(&mut self, request: &FetchRequest, code: i16) -> FetchResponse {
        assert_eq!(request.isolation_level, 1);
        let topic = &request.topics[0];
        let mut partitions = Vec::new();
        for asked in &topic.partitions {
            let log = &self.logs[&asked.partition];
            let aborted = |(id, first): &(ProducerId, i64)| {
                AbortedTransaction::default().with_producer_id(WireProducerId(id.get())).with_first_offset(*first)
            };
            let data = PartitionData::default()
                .with_partition_index(asked.partition)
                .with_error_code(code)
                .with_high_watermark(log.end)
                .with_last_stable_offset(log.open_from.unwrap_or(log.end))
                .with_aborted_transactions(Some(log.aborted.iter().map(aborted).collect()))
                .with_records(Some(log.fetch(asked.fetch_offset, 3)));
            partitions.push(data);
        }
        // What follows is for the next fetch to see.
        match &mut self.markers {
            Markers::AfterFetches(0) => self.write_markers(),
            Markers::AfterFetches(fetches) => *fetches -= 1,
            Markers::AtOnce | Markers::NotIn(_) => {}
        }
        let topic = FetchableTopicResponse::default().with_topic(topic.topic.clone()).with_partitions(partitions);
        FetchResponse::default().with_responses(vec![topic])
    }

    fn produce(&mut self, request: &ProduceRequest, code: i16) -> ProduceResponse {
        assert_eq!((request.acks, &request.transactional_id), (-1, &None));
        let topic = &request.topic_data[0];
        self.produced.push(topic.partition_data.iter().map(|data| data.index).collect());
        let mut answers = Vec::new();
        for data in &topic.partition_data {
            let log = self.logs.get_mut(&data.index).unwrap();
            let (code, offset) = match code {
                0 => {
                    log.append(data.records.as_ref().unwrap(), self.fences).map_or_else(|code| (code, -1), |at| (0, at))
                }
                code => (code, -1),
            };
            if self.omitted != Some(data.index) {
                let answer = PartitionProduceResponse::default().with_index(data.index).with_error_code(code);
                answers.push(answer.with_base_offset(offset + self.shift));
            }
        }
        let topic = TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(answers);
        ProduceResponse::default().with_responses(vec![topic]).with_throttle_time_ms(self.throttle_millis)
    }

    fn producers(&mut self, request: &DescribeProducersRequest, code: i16) -> DescribeProducersResponse {
        let partition = |index: &i32| {
            let active = self.logs[index].producers.iter().map(|(id, (epoch, _))| {
                ProducerState::default().with_producer_id(WireProducerId(id.get())).with_producer_epoch((*epoch).into())
            });
            PartitionResponse::default()
                .with_partition_index(*index)
                .with_error_code(code)
                .with_active_producers(active.collect())
        };
        let partitions = request.topics[0].partition_indexes.iter().map(partition).collect();
        let topic = TopicResponse::default().with_name(request.topics[0].name.clone()).with_partitions(partitions);
        DescribeProducersResponse::default().with_topics(vec![topic])
    }

    #[expect(clippy::unused_self, reason = "as every answer")]
    fn handshake(&mut self, request: &SaslHandshakeRequest, code: i16) -> SaslHandshakeResponse {
        SaslHandshakeResponse::default().with_error_code(code).with_mechanisms(vec![request.mechanism.clone()])
    }

    fn authenticate(&mut self, _: &SaslAuthenticateRequest, code: i16) -> SaslAuthenticateResponse {
        SaslAuthenticateResponse::default().with_error_code(code).with_session_lifetime_ms(self.session_lifetime_millis)
    }
}
