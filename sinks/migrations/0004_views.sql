-- What dashboards, summaries and people read. Every view says in its comment what it shows.

CREATE OR REPLACE VIEW orders_hourly
COMMENT 'Orders and revenue by the hour in which they were placed (UTC), without repeated orders; cancellations are not taken off here, see order_outcomes.'
AS SELECT
    hour,
    channel,
    tier,
    currency,
    sum(orders) AS orders,
    sum(first_orders) AS first_orders,
    sum(lines) AS lines,
    sum(revenue_cents) AS revenue_cents,
    sum(discount_cents) AS discount_cents
FROM orders_hourly_sums
GROUP BY hour, channel, tier, currency;

CREATE OR REPLACE VIEW orders_daily
COMMENT 'Orders and revenue by the day in which they were placed (UTC), without repeated orders.'
AS SELECT
    toDate(hour) AS day,
    currency,
    sum(orders) AS orders,
    sum(first_orders) AS first_orders,
    sum(lines) AS lines,
    sum(revenue_cents) AS revenue_cents,
    sum(discount_cents) AS discount_cents
FROM orders_hourly_sums
GROUP BY day, currency;

CREATE OR REPLACE VIEW events_hourly
COMMENT 'Events by the hour in which they happened (UTC), type, channel and source.'
AS SELECT hour, type, channel, source, sum(events) AS events
FROM events_hourly_sums
GROUP BY hour, type, channel, source;

CREATE OR REPLACE VIEW categories_daily
COMMENT 'Order lines and their revenue by day (UTC) and product category.'
AS SELECT day, category, currency, sum(lines) AS lines, sum(revenue_cents) AS revenue_cents
FROM categories_daily_sums
GROUP BY day, category, currency;

CREATE OR REPLACE VIEW merged_customers
COMMENT 'Under which token the history of a merged customer (origin) is found today; chains of up to sixteen merges are followed, and a circle ends at its least token.'
AS WITH RECURSIVE
    edges AS (
        SELECT origin AS name, argMax(customer, (at, inserted_at)) AS target
        FROM merges
        GROUP BY origin
    ),
    walk AS (
        SELECT name, target, toUInt8(1) AS hops FROM edges
        UNION ALL
        SELECT w.name, e.target, toUInt8(w.hops + 1)
        FROM walk AS w INNER JOIN edges AS e ON w.target = e.name
        WHERE w.hops < 17
    )
SELECT
    name AS origin,
    if(max(hops) < 17, argMax(target, hops), minIf(target, hops > 8)) AS customer
FROM walk
GROUP BY name;

CREATE OR REPLACE VIEW order_outcomes
COMMENT 'Every order that was placed, once, under the customer whose it is today (merges followed): whether it was cancelled, and what was refunded of it. by_device: placed by a device whose customer is not known.'
AS SELECT
    if(m.customer = '', r.who, m.customer) AS customer,
    r.id AS order_id,
    minIf(r.at, r.placed) AS occurred_at,
    argMinIf(r.cents, r.at, r.placed) AS total_cents,
    argMinIf(r.money, r.at, r.placed) AS currency,
    argMinIf(r.place, r.at, r.placed) AS channel,
    argMinIf(r.then_tier, r.at, r.placed) AS tier,
    minIf(r.device AND m.customer = '', r.placed) AS by_device,
    max(r.undone) AS cancelled,
    multiIf(cancelled, 0, max(r.whole), total_cents, least(sum(r.back_cents), total_cents))
        AS refunded_cents
FROM
(
    SELECT
        customer AS who, order_id AS id, occurred_at AS at, true AS placed,
        total_cents AS cents, currency AS money, channel AS place, tier AS then_tier,
        anonymous AS device, false AS undone, false AS whole, toInt64(0) AS back_cents
    FROM orders
    WHERE order_state != 'repeated'
    UNION ALL
    SELECT
        customer, order_id, occurred_at, false,
        toInt64(0), '', channel, '',
        true, kind = 'cancelled', kind = 'refunded' AND amount_cents IS NULL, ifNull(amount_cents, 0)
    FROM order_voids
) AS r
LEFT JOIN merged_customers AS m ON m.origin = r.who
GROUP BY customer, order_id
HAVING max(r.placed);

CREATE OR REPLACE VIEW repurchase
COMMENT 'Repurchase rate, e.g. repurchase(days=30, now_ms=…): of the customers whose first order is at least `days` days old at the log''s time now_ms (eligible), those who ordered again on a later day (UTC) within `days` days of it (returned). Cancelled orders and unknown devices are left out; rate is NULL when nobody is eligible.'
AS SELECT
    count() AS eligible,
    countIf(arrayExists(
        at -> toDate(at) > toDate(first_at) AND at <= first_at + toIntervalDay({days:UInt16}),
        times
    )) AS returned,
    if(eligible = 0, NULL, returned / eligible) AS rate
FROM
(
    SELECT customer, min(occurred_at) AS first_at, groupArray(occurred_at) AS times
    FROM order_outcomes
    WHERE NOT cancelled AND NOT by_device
    GROUP BY customer
    HAVING first_at + toIntervalDay({days:UInt16}) <= fromUnixTimestamp64Milli({now_ms:Int64}, 'UTC')
);

CREATE OR REPLACE VIEW customers
COMMENT 'Every customer as of their last change: known ones and devices, without those merged into another. `at` is the log''s time of that change.'
AS SELECT * EXCEPT (version, _partition)
FROM customers_now FINAL
WHERE merged_into = '' AND events > 0;

CREATE OR REPLACE VIEW tier_now
COMMENT 'Known customers by the tier they are in now, with the sum of what they spent.'
AS SELECT tier, count() AS customers, sum(value_cents) AS value_cents
FROM customers
WHERE known
GROUP BY tier;

CREATE OR REPLACE VIEW tier_flow
COMMENT 'Moves between tiers by day of the log''s time (UTC); from_tier is empty for new customers.'
AS SELECT toDate(at) AS day, from_tier, to_tier, count() AS moves, uniqExact(customer) AS customers
FROM tier_changes
GROUP BY day, from_tier, to_tier;

CREATE OR REPLACE VIEW alerts_now
COMMENT 'The last word about each alert; status firing: it still burns.'
AS SELECT
    fingerprint,
    argMax(status, (incarnation, _offset)) AS status,
    argMax(name, (incarnation, _offset)) AS name,
    argMax(severity, (incarnation, _offset)) AS severity,
    argMax(summary, (incarnation, _offset)) AS summary,
    argMax(labels, (incarnation, _offset)) AS labels,
    argMax(values, (incarnation, _offset)) AS values,
    min(starts_at) AS starts_at,
    max(ends_at) AS ends_at
FROM alerts
GROUP BY fingerprint;

CREATE OR REPLACE VIEW dead_letters_by_reason
COMMENT 'Dead letters by the hour in which they were refused, source and reason.'
AS SELECT toStartOfHour(toDateTime(at, 'UTC')) AS hour, source, reason, count() AS letters, max(at) AS last_at
FROM dead_letters
GROUP BY hour, source, reason;

CREATE OR REPLACE VIEW messages
COMMENT 'Every message that was asked for and how far it came: sent, delivered, opened, clicked or bounced.'
AS SELECT
    a.action_id AS action_id,
    a.customer AS customer,
    a.rule AS rule,
    a.message_channel AS message_channel,
    a.decided_at AS decided_at,
    e.types AS types,
    has(types, 'message_sent') AS sent,
    has(types, 'message_delivered') AS delivered,
    has(types, 'message_opened') AS opened,
    has(types, 'message_clicked') AS clicked,
    has(types, 'message_bounced') AS bounced
FROM actions AS a
LEFT JOIN
(
    SELECT JSONExtractString(properties, 'action_id') AS action_id, groupUniqArray(type) AS types
    FROM events
    WHERE type IN ('message_sent', 'message_delivered', 'message_opened', 'message_clicked', 'message_bounced')
    GROUP BY action_id
) AS e ON e.action_id = a.action_id;

CREATE OR REPLACE VIEW pipeline_latency
COMMENT 'From the log to the row here, by the minute of arrival: events and the 50th and 99th percentile of their latency in milliseconds.'
AS SELECT
    minute,
    sum(events) AS events,
    quantilesTDigestMerge(0.5, 0.99)(latency) AS quantiles,
    round(quantiles[1], 1) AS p50_ms,
    round(quantiles[2], 1) AS p99_ms
FROM latency_minutes
GROUP BY minute;

CREATE OR REPLACE VIEW pipeline_now
COMMENT 'The last reading of each consumer, topic and partition: how many records it is behind, and for how long the oldest has waited.'
AS SELECT
    consumer,
    topic,
    partition,
    max(pipeline.at) AS at,
    argMax(lag, pipeline.at) AS lag,
    argMax(age_ms, pipeline.at) AS age_ms,
    argMax(written_per_s, pipeline.at) AS written_per_s,
    argMax(read_per_s, pipeline.at) AS read_per_s
FROM pipeline
WHERE pipeline.at > now64(3) - INTERVAL 1 MINUTE
GROUP BY consumer, topic, partition;
