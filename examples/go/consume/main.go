// Consume reads every life-cycle event of a topic, and proves that it missed none.
//
// usage: consume BROKERS TOPIC [COUNT]
//
// It prints one line for each event and ends after COUNT events. It reads all partitions from their first records; a service
// would store the position and the offset of each partition in one transaction with its results, and begin after them.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	cmgatev1 "cmgate.example/cmgate/v1"
)

// events checks that positions and versions have no gaps.
type events struct {
	positions map[int32]uint64  // the last position of each partition
	versions  map[string]uint32 // the last version of each request
}

// read returns the event of a record; nil if the record repeats one, is of another kind, or belongs to someone else.
func (e *events) read(record *kgo.Record) (*cmgatev1.RequestEvent, error) {
	text := header(record, "x-pos")
	if text == "" {
		return nil, nil
	}
	position, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("partition %d, offset %d: %w", record.Partition, record.Offset, err)
	}
	last, seen := e.positions[record.Partition]
	if seen && position <= last {
		return nil, nil
	}
	if seen && position != last+1 {
		return nil, fmt.Errorf("events are missing: partition %d: position %d follows %d", record.Partition, position, last)
	}
	e.positions[record.Partition] = position
	if !strings.HasPrefix(header(record, "ce_type"), "cmgate.request.") {
		return nil, nil
	}
	event := &cmgatev1.RequestEvent{}
	if err := proto.Unmarshal(record.Value, event); err != nil {
		return nil, fmt.Errorf("partition %d, offset %d: %w", record.Partition, record.Offset, err)
	}
	request := event.GetRequest()
	if version, seen := e.versions[request.GetId()]; seen && request.GetVersion() != version+1 {
		return nil, fmt.Errorf("events are missing: request %s: version %d follows %d", request.GetId(), request.GetVersion(), version)
	}
	e.versions[request.GetId()] = request.GetVersion()
	return event, nil
}

func header(record *kgo.Record, key string) string {
	for _, header := range record.Headers {
		if header.Key == key {
			return string(header.Value)
		}
	}
	return ""
}

func consume(brokers, topic string, count int) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(brokers, ",")...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	all := events{positions: map[int32]uint64{}, versions: map[string]uint32{}}
	for received := 0; received < count; {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			event, err := all.read(record)
			if err != nil {
				return err
			}
			if event == nil {
				continue
			}
			received++
			kind, request := header(record, "ce_type"), event.GetRequest()
			// A status that this code does not know prints as a number.
			fmt.Println(event.Shard, event.Position, kind, request.GetId(), request.GetVersion(), request.GetStatus())
		}
	}
	return nil
}

func main() {
	count := int(^uint(0) >> 1)
	if len(os.Args) > 3 {
		var err error
		if count, err = strconv.Atoi(os.Args[3]); err != nil {
			log.Fatal(err)
		}
	}
	if err := consume(os.Args[1], os.Args[2], count); err != nil {
		log.Fatal(err)
	}
}
