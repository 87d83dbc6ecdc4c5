-- What the MySQL apps of the tests find: run by the tests as root, each statement ends at a line's end with ;;
SET sql_mode = '', time_zone = '+00:00';;
DROP DATABASE IF EXISTS shop;;
CREATE DATABASE shop CHARACTER SET utf8mb4;;
USE shop;;
CREATE TABLE every_type (
    id INT PRIMARY KEY,
    tiny TINYINT, utiny TINYINT UNSIGNED, small SMALLINT, usmall SMALLINT UNSIGNED,
    medium MEDIUMINT, umedium MEDIUMINT UNSIGNED, whole INT, uwhole INT UNSIGNED,
    big BIGINT, ubig BIGINT UNSIGNED, filled INT(5) UNSIGNED ZEROFILL, truth BOOLEAN,
    exact DECIMAL(65, 30), money DECIMAL(10, 2), single FLOAT, `double` DOUBLE,
    bit1 BIT(1), bit10 BIT(10), bit64 BIT(64),
    `date` DATE, `time` TIME, time6 TIME(6), moment DATETIME, moment3 DATETIME(3), moment6 DATETIME(6),
    stamp TIMESTAMP NULL, stamp6 TIMESTAMP(6) NULL, `year` YEAR,
    `char` CHAR(10), `varchar` VARCHAR(100), latin VARCHAR(100) CHARACTER SET latin1,
    `binary` BINARY(4), `varbinary` VARBINARY(300),
    `tinytext` TINYTEXT, `text` TEXT, `mediumtext` MEDIUMTEXT, `longtext` LONGTEXT,
    `tinyblob` TINYBLOB, `blob` BLOB, `mediumblob` MEDIUMBLOB, `longblob` LONGBLOB,
    choice ENUM('small', 'größer', '大'), choices SET('a', 'b', 'ü'), document JSON, place POINT
);;
INSERT INTO every_type (id) VALUES (1);;
INSERT INTO every_type VALUES (
    2, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, FALSE,
    -99999999999999999999999999999999999.999999999999999999999999999999, -99999999.99, -3.40282e38, -1.7976931348623157e308,
    b'0', b'0', b'0',
    '1000-01-01', '-838:59:59', '-838:59:58.999999', '1000-01-01', '1000-01-01', '1000-01-01 00:00:00.000001',
    '1970-01-01 00:00:01', '1970-01-01 00:00:01.000001', 1901,
    '', '', '', '', '', '', '', '', '', '', '', '', '', 'small', '', '{}', POINT(-180, -90)
);;
INSERT INTO every_type VALUES (
    3, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 99999, TRUE,
    99999999999999999999999999999999999.999999999999999999999999999999, 99999999.99, 3.40282e38, 1.7976931348623157e308,
    b'1', b'1111111111', 0xFFFFFFFFFFFFFFFF,
    '9999-12-31', '838:59:59', '838:59:58.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999',
    '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', 2155,
    REPEAT('z', 10), REPEAT('z', 100), REPEAT('ÿ', 100), 0xFFFFFFFF, REPEAT(0xFF, 300),
    REPEAT('t', 255), REPEAT('x', 65535), REPEAT('m', 70000), REPEAT('l', 70000),
    REPEAT(0x00, 255), REPEAT(0xFF, 65535), REPEAT(0x0A, 70000), REPEAT(0x1A, 70000),
    '大', 'a,b,ü', '{"n": 1, "z": [true, null, "ü", 1.5]}', POINT(180, 90)
);;
INSERT INTO every_type VALUES (
    4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, TRUE, 0.000000000000000000000000000001, 0.01, 0.1, 0.30000000000000004,
    b'1', b'101', b'101010',
    '2024-02-29', '00:00:00', '-00:00:00.000001', '2024-02-29 12:34:56', '2024-02-29 12:34:56.7', '2024-02-29 12:34:56.789012',
    '2024-02-29 12:34:56', '2024-02-29 12:34:56.7', 2024,
    'Grüße  ', '日本語 🍣 \\ \' " % _ \0 \n \t', 'é', 'a\0b', 0x00FF27225C0A0D1A,
    'ティニー', '{{braces}} ${dollar} #hash: yes', '  leading\ntrailing  ', '---\n- yaml: [no]\n...\n',
    'true', 'null', '2024-01-01', '0x10',
    'größer', 'b', '"just a string 🍣"', POINT(0.1, -0.0)
);;
INSERT INTO every_type (id, `date`, moment, stamp, `year`, `char`, `varchar`, latin) VALUES
    (5, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', 0, ' ', '~', 'null');;
CREATE TABLE orders (
    id INT AUTO_INCREMENT PRIMARY KEY,
    customer VARCHAR(50) NOT NULL, total DECIMAL(10, 2), ratio DOUBLE, note TEXT, picture BLOB,
    placed DATETIME(6), due DATE, took TIME(6), paid BOOLEAN, UNIQUE KEY customers (customer)
) AUTO_INCREMENT = 100;;
CREATE TABLE large (id INT PRIMARY KEY, body LONGBLOB);;
CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL);;
INSERT INTO accounts VALUES (1, 100), (2, 100);;
CREATE PROCEDURE two_results(IN least INT)
BEGIN
    SELECT id, balance FROM accounts WHERE id >= least ORDER BY id;
    SELECT COUNT(*) AS how_many, CAST(SUM(balance) AS CHAR) AS total FROM accounts;
END;;
CREATE PROCEDURE refuse(IN why VARCHAR(50) CHARACTER SET utf8mb4)
BEGIN
    SIGNAL SQLSTATE '45042' SET MESSAGE_TEXT = why, MYSQL_ERRNO = 31042;
END;;
CREATE PROCEDURE half_an_answer()
BEGIN
    SELECT 1 AS one;
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'after a result';
END;;
