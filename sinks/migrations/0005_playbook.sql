-- What a playbook decides: the receipts of held, capped and other decisions, and actions beside messages.
-- Rows from before keep what was true of them: every action was a message, every one certain.

ALTER TABLE decisions ADD COLUMN IF NOT EXISTS status LowCardinality(String) DEFAULT if(verdict = 'sent', 'sent', '') AFTER inputs;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS action LowCardinality(String) DEFAULT 'message' AFTER status;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS message_channel LowCardinality(String) AFTER action;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS offer LowCardinality(String) AFTER message_channel;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS coupon String AFTER offer;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS arm LowCardinality(String) AFTER coupon;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS propensity Float64 DEFAULT 1 AFTER arm;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS held_until Nullable(DateTime64(3, 'UTC')) AFTER propensity;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS playbook_version UInt32 AFTER held_until;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS passed Array(LowCardinality(String)) AFTER playbook_version;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS rivals Array(LowCardinality(String)) AFTER passed;
ALTER TABLE decisions ADD INDEX IF NOT EXISTS by_action action_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE decisions MODIFY COMMENT 'The receipt of every decision. verdict: sent or withheld; status says it more closely (sent, held, capped, muted, no_consent, holdout, cancelled, out_of_budget, superseded), reason in words; passed: guards in the order they were asked; inputs is JSON.';

ALTER TABLE actions ADD COLUMN IF NOT EXISTS kind LowCardinality(String) DEFAULT 'message' AFTER hazard_version;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS consent LowCardinality(String) DEFAULT 'marketing' AFTER kind;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS playbook_version UInt32 AFTER consent;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS offer LowCardinality(String) AFTER playbook_version;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS coupon String AFTER offer;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS arm LowCardinality(String) AFTER coupon;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS propensity Float64 DEFAULT 1 AFTER arm;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS owner LowCardinality(String) AFTER propensity;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS task String AFTER owner;
ALTER TABLE actions ADD COLUMN IF NOT EXISTS task_due Nullable(DateTime64(3, 'UTC')) AFTER task;
ALTER TABLE actions ADD INDEX IF NOT EXISTS by_action action_id TYPE bloom_filter(0.01) GRANULARITY 1;

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
) AS e ON e.action_id = a.action_id
WHERE a.kind = 'message';

CREATE OR REPLACE VIEW rule_outcomes
COMMENT 'Decisions by day of the log''s time (UTC), rule and status.'
AS SELECT toDate(at) AS day, rule, status, count() AS decisions, uniqExact(customer) AS customers
FROM decisions
GROUP BY day, rule, status;
