-- A request that is sent again with the same key must not place a second order.
ALTER TABLE orders ADD COLUMN idempotency_key VARCHAR(64);
ALTER TABLE orders ADD COLUMN fingerprint CHAR(64) NOT NULL DEFAULT '';
CREATE UNIQUE INDEX orders_by_key ON orders (user_id, idempotency_key);
