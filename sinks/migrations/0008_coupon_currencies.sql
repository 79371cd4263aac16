-- Cents of coupons know their currency; sums of two are never added up.

ALTER TABLE coupon_verdicts ADD COLUMN IF NOT EXISTS currency LowCardinality(String) AFTER gift;

CREATE OR REPLACE VIEW coupon_liability
COMMENT 'What each offer''s coupons may yet cost (open_cents by currency; open_unlimited of them have no limit) and what became of the others. Always issued = open + redeemed + expired + revoked. Currency '''': not known, of coupons from before it was kept.'
AS SELECT
    offer,
    sum(issued) AS issued,
    sum(open) AS open,
    sumMap(map(toString(currency), open_cents)) AS open_cents,
    sum(open_unlimited) AS open_unlimited,
    sum(redeemed) AS redeemed,
    sumMap(map(toString(currency), redeemed_cents)) AS redeemed_cents,
    sum(expired) AS expired,
    sum(revoked) AS revoked
FROM coupon_verdicts
GROUP BY offer
HAVING issued > 0;
