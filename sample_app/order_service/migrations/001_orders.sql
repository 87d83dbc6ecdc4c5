CREATE TABLE orders (
  id CHAR(36) NOT NULL PRIMARY KEY,
  user_id CHAR(36) NOT NULL,
  status VARCHAR(16) NOT NULL,
  total DECIMAL(12, 2) NOT NULL,
  shipping_address_id CHAR(36) NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) DEFAULT CHARSET=utf8mb4;

CREATE INDEX orders_of_user ON orders (user_id, created_at);

CREATE TABLE order_items (
  order_id CHAR(36) NOT NULL,
  position INT NOT NULL,
  product_id CHAR(36) NOT NULL,
  quantity INT NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  PRIMARY KEY (order_id, position),
  FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARSET=utf8mb4;
