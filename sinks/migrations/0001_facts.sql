-- What the fold found out, one table a kind of fact, from topic `facts`.
--
-- Every row carries where it was read: (incarnation, _partition, _offset) of the topic, and `line`
-- where one record gives several rows. These columns end the sorting key, so that the engine's own
-- merging takes out what should ever come twice; sinks never let it come to that.
-- No table has a PARTITION BY: an insert is one part then, whole or not there.

CREATE TABLE IF NOT EXISTS events
(
    occurred_at DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    logged_at DateTime64(3, 'UTC'),
    event_id String,
    customer String,
    type LowCardinality(String),
    channel LowCardinality(String),
    source LowCardinality(String),
    tier LowCardinality(String),
    anonymous Bool,
    properties String,
    log_partition UInt16,
    log_offset UInt64,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4,
    INDEX by_insertion inserted_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY occurred_at
ORDER BY (occurred_at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every event that was folded; properties is the JSON of what has no column here. Order lines are in order_lines.';

CREATE TABLE IF NOT EXISTS orders
(
    occurred_at DateTime64(3, 'UTC'),
    customer String,
    order_id String,
    total_cents Int64,
    currency LowCardinality(String),
    discount_cents Int64,
    shipping_cents Int64,
    tax_cents Int64,
    coupon String,
    store_id LowCardinality(String),
    channel LowCardinality(String),
    source LowCardinality(String),
    tier LowCardinality(String),
    order_number UInt32,
    order_state LowCardinality(String),
    anonymous Bool,
    lines UInt32,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY occurred_at
ORDER BY (occurred_at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every order as it was placed. order_state: counted, repeated (the same order id again) or cancelled (its cancellation came first); tier is the customer''s before the order.';

CREATE TABLE IF NOT EXISTS order_lines
(
    occurred_at DateTime64(3, 'UTC'),
    customer String,
    order_id String,
    line UInt16,
    product_id String,
    sku String,
    name String,
    category LowCardinality(String),
    brand LowCardinality(String),
    variant String,
    quantity Float64,
    price_cents Int64,
    total_cents Int64,
    currency LowCardinality(String),
    channel LowCardinality(String),
    tier LowCardinality(String),
    order_state LowCardinality(String),
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_product product_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY occurred_at
ORDER BY (occurred_at, incarnation, _partition, _offset, line)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The lines of every order; line counts from 0 within the order.';

CREATE TABLE IF NOT EXISTS order_voids
(
    occurred_at DateTime64(3, 'UTC'),
    customer String,
    order_id String,
    kind LowCardinality(String),
    amount_cents Nullable(Int64),
    channel LowCardinality(String),
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY occurred_at
ORDER BY (occurred_at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What was taken back of orders. kind: cancelled or refunded; amount_cents NULL: all of it. It may stand here before its order does.';

CREATE TABLE IF NOT EXISTS tier_changes
(
    at DateTime64(3, 'UTC'),
    customer String,
    from_tier LowCardinality(String),
    to_tier LowCardinality(String),
    reason LowCardinality(String),
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY at
ORDER BY (at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every move from one tier to another; from_tier is empty for a new customer.';

CREATE TABLE IF NOT EXISTS decisions
(
    at DateTime64(3, 'UTC'),
    customer String,
    rule LowCardinality(String),
    occasion String,
    action_id String,
    verdict LowCardinality(String),
    reason LowCardinality(String),
    hazard Float64,
    hazard_version UInt32,
    inputs String,
    log_partition UInt16,
    log_offset UInt64,
    log_index UInt32,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY at
ORDER BY (at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The receipt of every decision. verdict: sent or withheld, reason says why; inputs is JSON.';

CREATE TABLE IF NOT EXISTS merges
(
    at DateTime64(3, 'UTC'),
    customer String,
    origin String,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY origin
ORDER BY (origin, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The history of origin became customer''s.';

CREATE TABLE IF NOT EXISTS forgotten
(
    at DateTime64(3, 'UTC'),
    customer String,
    name String,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY name
ORDER BY (name, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Who was erased: one row a token (name) that was this customer''s; no other table keeps a row of them.';

CREATE TABLE IF NOT EXISTS unreadable
(
    topic LowCardinality(String),
    reason String,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Records no sink could read: where they stand, and why. Their content stays in the topic.';
