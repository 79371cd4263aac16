-- Orders tell what was given off on them, so that the cost of what rules brought is counted too.

CREATE OR REPLACE VIEW order_outcomes
COMMENT 'Every order that was placed, once, under the customer whose it is today (merges followed): whether it was cancelled, what was refunded of it and given off on it. by_device: placed by a device whose customer is not known.'
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
        AS refunded_cents,
    argMinIf(r.off_cents, r.at, r.placed) AS discount_cents
FROM
(
    SELECT
        customer AS who, order_id AS id, occurred_at AS at, true AS placed,
        total_cents AS cents, currency AS money, channel AS place, tier AS then_tier,
        anonymous AS device, false AS undone, false AS whole, toInt64(0) AS back_cents,
        discount_cents AS off_cents
    FROM orders
    WHERE order_state != 'repeated'
    UNION ALL
    SELECT
        customer, order_id, occurred_at, false,
        toInt64(0), '', channel, '',
        true, kind = 'cancelled', kind = 'refunded' AND amount_cents IS NULL, ifNull(amount_cents, 0),
        toInt64(0)
    FROM order_voids
) AS r
LEFT JOIN merged_customers AS m ON m.origin = r.who
GROUP BY customer, order_id
HAVING max(r.placed);
