-- What dashboards ask for all the time, added up while rows come in.
--
-- Sums are kept apart by (incarnation, _partition): whoever reads a partition of the topic is the
-- only one who writes its sums, compares them with their table when it starts, and writes the
-- difference if a crash parted the two (sinks/clickhouse_sums.py). Read them through the views of
-- the next file.

CREATE TABLE IF NOT EXISTS orders_hourly_sums
(
    hour DateTime('UTC'),
    channel LowCardinality(String),
    tier LowCardinality(String),
    currency LowCardinality(String),
    incarnation UInt16,
    _partition UInt16,
    orders Int64,
    first_orders Int64,
    lines Int64,
    revenue_cents Int64,
    discount_cents Int64
)
ENGINE = SummingMergeTree((orders, first_orders, lines, revenue_cents, discount_cents))
ORDER BY (hour, channel, tier, currency, incarnation, _partition)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Sums of orders, without repeated ones; read the view orders_hourly.';

CREATE MATERIALIZED VIEW IF NOT EXISTS orders_hourly_feed TO orders_hourly_sums
AS SELECT
    toStartOfHour(toDateTime(occurred_at, 'UTC')) AS hour,
    channel,
    tier,
    currency,
    incarnation,
    _partition,
    toInt64(count()) AS orders,
    toInt64(countIf(order_number = 1)) AS first_orders,
    toInt64(sum(lines)) AS lines,
    sum(total_cents) AS revenue_cents,
    sum(orders.discount_cents) AS discount_cents
FROM orders
WHERE order_state != 'repeated'
GROUP BY hour, channel, tier, currency, incarnation, _partition;

CREATE TABLE IF NOT EXISTS events_hourly_sums
(
    hour DateTime('UTC'),
    type LowCardinality(String),
    channel LowCardinality(String),
    source LowCardinality(String),
    incarnation UInt16,
    _partition UInt16,
    events Int64
)
ENGINE = SummingMergeTree((events))
ORDER BY (hour, type, channel, source, incarnation, _partition)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Counts of events; read the view events_hourly.';

CREATE MATERIALIZED VIEW IF NOT EXISTS events_hourly_feed TO events_hourly_sums
AS SELECT
    toStartOfHour(toDateTime(occurred_at, 'UTC')) AS hour,
    type,
    channel,
    source,
    incarnation,
    _partition,
    toInt64(count()) AS events
FROM events
GROUP BY hour, type, channel, source, incarnation, _partition;

CREATE TABLE IF NOT EXISTS categories_daily_sums
(
    day Date,
    category LowCardinality(String),
    currency LowCardinality(String),
    incarnation UInt16,
    _partition UInt16,
    lines Int64,
    revenue_cents Int64
)
ENGINE = SummingMergeTree((lines, revenue_cents))
ORDER BY (day, category, currency, incarnation, _partition)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Sums of order lines, without those of repeated orders; read the view categories_daily.';

CREATE MATERIALIZED VIEW IF NOT EXISTS categories_daily_feed TO categories_daily_sums
AS SELECT
    toDate(occurred_at, 'UTC') AS day,
    category,
    currency,
    incarnation,
    _partition,
    toInt64(count()) AS lines,
    sum(total_cents) AS revenue_cents
FROM order_lines
WHERE order_state != 'repeated'
GROUP BY day, category, currency, incarnation, _partition;

CREATE TABLE IF NOT EXISTS latency_minutes
(
    minute DateTime('UTC'),
    events SimpleAggregateFunction(sum, UInt64),
    latency AggregateFunction(quantilesTDigest(0.5, 0.99), Float32)
)
ENGINE = AggregatingMergeTree
ORDER BY minute
TTL minute + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'How long events took from the log to their row, by the minute of their arrival here; read the view pipeline_latency.';

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_minutes_feed TO latency_minutes
AS SELECT
    toStartOfMinute(toDateTime(inserted_at, 'UTC')) AS minute,
    count() AS events,
    quantilesTDigestState(0.5, 0.99)(
        toFloat32(greatest(0, toUnixTimestamp64Milli(inserted_at) - toUnixTimestamp64Milli(logged_at)))
    ) AS latency
FROM events
GROUP BY minute;

CREATE TABLE IF NOT EXISTS customers_now
(
    customer String,
    at DateTime64(3, 'UTC'),
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
    version UInt64,
    _partition UInt16
)
ENGINE = ReplacingMergeTree(version)
ORDER BY customer
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The newest row of profile_history for each customer, once merged; read the view customers.';

CREATE MATERIALIZED VIEW IF NOT EXISTS customers_now_feed TO customers_now
AS SELECT
    customer, at, known, merged_into, tier, tier_since, tier_reason, events, orders, value_cents,
    currency, cancelled_orders, refunded_cents, first_order_at, last_order_at, last_seen_at,
    mean_gap_days, hazard, hazard_version, next_order_at, favourite_category, messages_sent,
    messages_opened, tickets_open,
    bitOr(bitShiftLeft(toUInt64(incarnation), 48), _offset) AS version,
    _partition
FROM profile_history;
