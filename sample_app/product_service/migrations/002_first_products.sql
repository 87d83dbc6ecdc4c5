INSERT INTO products (id, name, description, price, stock) VALUES
  ('11111111-1111-4111-8111-111111111111', 'Laptop', '14 inch, 16 GB', 1200.00, 1000),
  ('22222222-2222-4222-8222-222222222222', 'Mouse', 'Wireless, three buttons', 25.50, 5000),
  ('33333333-3333-4333-8333-333333333333', 'Kaffeemühle', 'A customer''s favourite', 89.90, 1);
