"""Where it lands: ClickHouse, Redis, messages, alerts, the page. One contract for all."""
