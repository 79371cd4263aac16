-- What follows from the facts: messages, alerts, dead letters, the state of customers over time.

CREATE TABLE IF NOT EXISTS actions
(
    decided_at DateTime64(3, 'UTC'),
    expires_at DateTime64(3, 'UTC'),
    action_id String,
    customer String,
    rule LowCardinality(String),
    occasion String,
    message_channel LowCardinality(String),
    template LowCardinality(String),
    locale LowCardinality(String),
    variables String,
    hazard Float64,
    hazard_version UInt32,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY decided_at
ORDER BY (decided_at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every message that was asked for; variables is JSON and holds nothing personal. What became of it is in events (message_sent and its kin) under the same action_id.';

CREATE TABLE IF NOT EXISTS profile_history
(
    at DateTime64(3, 'UTC'),
    customer String,
    known Bool,
    merged_into String,
    tier LowCardinality(String),
    tier_since DateTime64(3, 'UTC'),
    tier_reason LowCardinality(String),
    events UInt64,
    orders Int64,
    value_cents Int64,
    currency LowCardinality(String),
    cancelled_orders UInt32,
    refunded_cents Int64,
    first_order_at Nullable(DateTime64(3, 'UTC')),
    last_order_at Nullable(DateTime64(3, 'UTC')),
    last_seen_at DateTime64(3, 'UTC'),
    mean_gap_days Nullable(Float64),
    hazard Float64,
    hazard_version UInt32,
    next_order_at Nullable(DateTime64(3, 'UTC')),
    favourite_category LowCardinality(String),
    messages_sent UInt32,
    messages_opened UInt32,
    tickets_open UInt32,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY customer
ORDER BY (customer, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'How every customer looked after each change, at the log''s time `at`; the newest row is in customers_now.';

CREATE TABLE IF NOT EXISTS alerts
(
    starts_at DateTime64(3, 'UTC'),
    ends_at Nullable(DateTime64(3, 'UTC')),
    fingerprint String,
    status LowCardinality(String),
    name LowCardinality(String),
    severity LowCardinality(String),
    summary String,
    labels Map(LowCardinality(String), String),
    values Map(LowCardinality(String), Float64),
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (starts_at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every word about an alert: firing, or resolved with ends_at; one fingerprint from its firing to its end.';

CREATE TABLE IF NOT EXISTS dead_letters
(
    at DateTime64(3, 'UTC'),
    source LowCardinality(String),
    reason String,
    path String,
    expected String,
    from_partition Int32,
    from_offset Int64,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY at
ORDER BY (at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What could not be taken, and why; the sealed body stays in the topic.';

CREATE TABLE IF NOT EXISTS pipeline
(
    at DateTime64(3, 'UTC'),
    consumer LowCardinality(String),
    topic LowCardinality(String),
    partition UInt16,
    end_offset UInt64,
    committed UInt64,
    lag UInt64,
    age_ms UInt64,
    written_per_s Float64,
    read_per_s Float64
)
ENGINE = MergeTree
ORDER BY (at, consumer, topic, partition)
TTL toDateTime(at) + INTERVAL 6 HOUR
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'How far each consumer group is behind in each partition, at the wall''s time; age_ms: how long the oldest unread record has waited.';
