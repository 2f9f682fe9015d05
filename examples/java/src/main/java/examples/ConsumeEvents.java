package examples;

import cmgate.v1.Request;
import cmgate.v1.RequestEvent;
import com.google.protobuf.InvalidProtocolBufferException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads every life-cycle event of a topic, and proves that it missed none.
 *
 * <p>Arguments: brokers, topic, and the number of events after which it ends. It prints one line for each event. It assigns itself
 * all partitions and begins at their first records; a service would store the position and the offset of each partition in one
 * transaction with its results, and begin after them.
 */
public final class ConsumeEvents {
  /** The last position of each partition. */
  private final Map<Integer, Long> positions = new HashMap<>();

  /** The last version of each request. */
  private final Map<String, Integer> versions = new HashMap<>();

  /** The event of a record; empty if the record repeats one, is of another kind, or belongs to someone else. */
  private Optional<RequestEvent> read(ConsumerRecord<String, byte[]> record) throws InvalidProtocolBufferException {
    if (record.headers().lastHeader("x-pos") == null) {
      return Optional.empty();
    }
    long position = Long.parseLong(header(record, "x-pos"));
    Long last = positions.get(record.partition());
    if (last != null && position <= last) {
      return Optional.empty();
    }
    if (last != null && position != last + 1) {
      throw new IllegalStateException(
          "events are missing: partition " + record.partition() + ": position " + position + " follows " + last);
    }
    positions.put(record.partition(), position);
    if (!header(record, "ce_type").startsWith("cmgate.request.")) {
      return Optional.empty();
    }
    RequestEvent event = RequestEvent.parseFrom(record.value());
    Request request = event.getRequest();
    Integer version = versions.get(request.getId());
    if (version != null && request.getVersion() != version + 1) {
      throw new IllegalStateException(
          "events are missing: request " + request.getId() + ": version " + request.getVersion() + " follows " + version);
    }
    versions.put(request.getId(), request.getVersion());
    return Optional.of(event);
  }

  private static String header(ConsumerRecord<String, byte[]> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
  }

  /** Reads the topic. */
  public static void main(String[] arguments) throws InvalidProtocolBufferException {
    String topic = arguments[1];
    long count = arguments.length > 2 ? Long.parseLong(arguments[2]) : Long.MAX_VALUE;
    Map<String, Object> settings =
        Map.of("bootstrap.servers", arguments[0], "isolation.level", "read_committed", "enable.auto.commit", false);
    ConsumeEvents events = new ConsumeEvents();
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream().map(it -> new TopicPartition(topic, it.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      while (count > 0) {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          Optional<RequestEvent> event = events.read(record);
          if (event.isPresent()) {
            print(event.get(), header(record, "ce_type"));
            count--;
          }
        }
      }
    }
  }

  /** A status that this code does not know prints as UNRECOGNIZED. */
  private static void print(RequestEvent event, String type) {
    Request request = event.getRequest();
    System.out.println(
        String.join(
            " ",
            Integer.toUnsignedString(event.getShard()),
            Long.toUnsignedString(event.getPosition()),
            type,
            request.getId(),
            Integer.toUnsignedString(request.getVersion()),
            request.getStatus().name()));
  }
}
