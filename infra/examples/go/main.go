// Prints Spool's public events as JSON lines, each once, and checks every body against its published schema.
//
//	go run . -brokers localhost:9092             # from the beginning, then whatever comes
//	go run . -brokers localhost:9092 -to-end     # what is there now
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var topics = []string{"video-events", "job-events", "account-events"}

// What is printed of an event.
type event struct {
	Topic   string `json:"topic"`
	Type    string `json:"type"`
	ID      string `json:"id"`
	Time    string `json:"time"`
	Key     string `json:"key"`
	Version uint64 `json:"version"`
	Data    any    `json:"data"`
}

func main() {
	log.SetFlags(0)
	brokers := flag.String("brokers", "", "HOST:PORT, separated by commas")
	prefix := flag.String("prefix", "", "what kafka.topic_prefix is set to")
	folder := flag.String("schemas", "../../../schemas/public", "the folder schemas/public")
	toEnd := flag.Bool("to-end", false, "stop at the end instead of waiting")
	flag.Parse()
	if *brokers == "" {
		log.Fatal("say where Kafka is: -brokers HOST:PORT")
	}
	if err := consume(strings.Split(*brokers, ","), *prefix, *folder, *toEnd); err != nil {
		log.Fatal(err)
	}
}

func consume(brokers []string, prefix, folder string, toEnd bool) error {
	var names []string
	for _, topic := range topics {
		names = append(names, prefix+topic)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(names...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	missing, err := ends(client, names)
	if err != nil {
		return err
	}
	schemas := &schemas{folder: folder, known: map[string]*jsonschema.Schema{}}
	repeats := repeats{}
	for !toEnd || len(missing) > 0 {
		fetched := client.PollFetches(context.Background())
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("reading failed: %w", err)
		}
		for _, record := range fetched.Records() {
			if err := show(record, schemas, repeats); err != nil {
				return err
			}
			place := partition{record.Topic, record.Partition}
			if end, wanted := missing[place]; wanted && record.Offset+1 >= end {
				delete(missing, place)
			}
		}
	}
	return nil
}

type partition struct {
	topic  string
	number int32
}

// Where every partition that has something ends now.
func ends(client *kgo.Client, names []string) (map[partition]int64, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(context.Background(), names...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	listed, err := admin.ListEndOffsets(context.Background(), names...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	found := map[partition]int64{}
	listed.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if end.Offset > start.Offset {
			found[partition{end.Topic, end.Partition}] = end.Offset
		}
	})
	return found, nil
}

func show(record *kgo.Record, schemas *schemas, repeats repeats) error {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	version, err := strconv.ParseUint(headers["ce_streamversion"], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: no version: %w", headers["ce_id"], err)
	}
	if repeats.isRepeat(record.Topic, string(record.Key), version) {
		fmt.Fprintln(os.Stderr, "a repeat of", headers["ce_id"])
		return nil
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(record.Value))
	if err != nil {
		return fmt.Errorf("%s: no JSON: %w", headers["ce_id"], err)
	}
	if err := schemas.check(headers["ce_dataschema"], body); err != nil {
		return fmt.Errorf("%s: %w", headers["ce_id"], err)
	}
	line, err := json.Marshal(event{
		Topic:   record.Topic,
		Type:    headers["ce_type"],
		ID:      headers["ce_id"],
		Time:    headers["ce_time"],
		Key:     string(record.Key),
		Version: version,
		Data:    body,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(line))
	return err
}

// Delivery is at least once: an event that is not newer than the last one of its key was here before. A program that
// keeps what it makes of the events keeps the version beside it, in the same transaction.
type repeats map[[2]string]uint64

func (seen repeats) isRepeat(topic, key string, version uint64) bool {
	place := [2]string{topic, key}
	if version <= seen[place] {
		return true
	}
	seen[place] = version
	return false
}

// The published schemas. urn:spool:public:VideoUploaded:v1 is the file VideoUploaded.v1.json.
type schemas struct {
	folder string
	known  map[string]*jsonschema.Schema
}

func (all *schemas) check(urn string, body any) error {
	schema := all.known[urn]
	if schema == nil {
		words := strings.Split(urn, ":")
		if len(words) < 2 {
			return fmt.Errorf("%q names no schema", urn)
		}
		file := strings.Join(words[len(words)-2:], ".") + ".json"
		compiled, err := jsonschema.NewCompiler().Compile(filepath.Join(all.folder, file))
		if err != nil {
			return err
		}
		schema, all.known[urn] = compiled, compiled
	}
	return schema.Validate(body)
}
