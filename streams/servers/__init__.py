"""The embedded servers (Apache Kafka, Valkey, the ClickHouse engine) and their supervisor."""
