-- What became of coupons: every verdict of the fold, and what offers may yet cost.

CREATE TABLE IF NOT EXISTS coupon_verdicts
(
    at DateTime64(3, 'UTC'),
    code String,
    offer LowCardinality(String),
    customer String,
    asked LowCardinality(String),
    outcome LowCardinality(String),
    status LowCardinality(String),
    repeated Bool,
    order_id String,
    action_id String,
    goods_cents Int64,
    shipping_cents Int64,
    gift String,
    expires_at Nullable(DateTime64(3, 'UTC')),
    issued Int32,
    open Int32,
    open_cents Int64,
    open_unlimited Int32,
    redeemed Int32,
    redeemed_cents Int64,
    expired Int32,
    revoked Int32,
    log_partition UInt16,
    log_offset UInt64,
    log_index UInt32,
    incarnation UInt16,
    _partition UInt16,
    _offset UInt64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_code code TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_customer customer TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PRIMARY KEY at
ORDER BY (at, incarnation, _partition, _offset)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What came of everything that was asked of a coupon, by customer = the owner''s token (empty: whoever has it). issued to revoked are by how much the sums of its offer moved.';

CREATE OR REPLACE VIEW coupon_liability
COMMENT 'What each offer''s coupons may yet cost (open_cents; open_unlimited of them have no limit) and what became of the others. Always issued = open + redeemed + expired + revoked.'
AS SELECT
    offer,
    sum(issued) AS issued,
    sum(open) AS open,
    sum(open_cents) AS open_cents,
    sum(open_unlimited) AS open_unlimited,
    sum(redeemed) AS redeemed,
    sum(redeemed_cents) AS redeemed_cents,
    sum(expired) AS expired,
    sum(revoked) AS revoked
FROM coupon_verdicts
GROUP BY offer
HAVING issued > 0;
