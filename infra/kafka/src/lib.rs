//! Apache Kafka: connecting, topics and their settings, producing and consuming off the async runtime.
