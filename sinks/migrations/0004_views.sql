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
AS WITH
    edges AS (
        SELECT origin AS name, argMax(customer, (at, inserted_at)) AS target
        FROM merges
        GROUP BY origin
    ),
    one AS (SELECT name, target, least(name, target) AS low FROM edges),
    two AS (
        SELECT a.name AS name, if(b.name = '', a.target, b.target) AS target,
               if(b.name = '', a.low, least(a.low, b.low)) AS low
        FROM one AS a LEFT JOIN one AS b ON a.target = b.name
    ),
    four AS (
        SELECT a.name AS name, if(b.name = '', a.target, b.target) AS target,
               if(b.name = '', a.low, least(a.low, b.low)) AS low
        FROM two AS a LEFT JOIN two AS b ON a.target = b.name
    ),
    eight AS (
        SELECT a.name AS name, if(b.name = '', a.target, b.target) AS target,
               if(b.name = '', a.low, least(a.low, b.low)) AS low
        FROM four AS a LEFT JOIN four AS b ON a.target = b.name
    )
SELECT
    a.name AS origin,
    multiIf(b.name = '', a.target, c.name = '', b.target, b.low) AS customer
FROM eight AS a
LEFT JOIN eight AS b ON a.target = b.name
LEFT JOIN eight AS c ON b.target = c.name;

CREATE OR REPLACE VIEW order_outcomes
COMMENT 'Every order that was placed, once, under the customer whose it is today (merges followed): whether it was cancelled, and what was refunded of it. by_device: placed by a device whose customer is not known.'
AS WITH
    placed AS (
        SELECT
            if(m.customer = '', o.customer, m.customer) AS owner,
            o.order_id AS id,
            min(o.occurred_at) AS placed_at,
            argMin(o.total_cents, o.occurred_at) AS cents,
            argMin(o.currency, o.occurred_at) AS money,
            argMin(o.channel, o.occurred_at) AS place,
            argMin(o.tier, o.occurred_at) AS then_tier,
            min(o.anonymous AND m.customer = '') AS device
        FROM orders AS o
        LEFT JOIN merged_customers AS m ON m.origin = o.customer
        WHERE o.order_state != 'repeated'
        GROUP BY owner, id
    ),
    voids AS (
        SELECT
            if(m.customer = '', o.customer, m.customer) AS owner,
            o.order_id AS id,
            max(o.kind = 'cancelled') AS undone,
            max(o.kind = 'refunded' AND o.amount_cents IS NULL) AS whole,
            sum(ifNull(o.amount_cents, 0)) AS back_cents
        FROM order_voids AS o
        LEFT JOIN merged_customers AS m ON m.origin = o.customer
        GROUP BY owner, id
    )
SELECT
    p.owner AS customer,
    p.id AS order_id,
    p.placed_at AS occurred_at,
    p.cents AS total_cents,
    p.money AS currency,
    p.place AS channel,
    p.then_tier AS tier,
    p.device AS by_device,
    v.undone AS cancelled,
    multiIf(v.undone, 0, v.whole, p.cents, least(v.back_cents, p.cents)) AS refunded_cents
FROM placed AS p
LEFT JOIN voids AS v ON v.owner = p.owner AND v.id = p.id;

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
