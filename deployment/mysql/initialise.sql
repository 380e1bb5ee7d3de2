-- What a new data directory holds before anything is replicated: the operator's tables and the accounts. Run once, by entrypoint.sh,
-- unlogged, so that every server has the same and none has a transaction of its own. @NAME@ becomes the content of the secret file NAME.

SET sql_log_bin = 0;
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
-- root: from inside the container alone, as the system's root, without a password that could be lost.
ALTER USER root@localhost IDENTIFIED WITH auth_socket;

CREATE DATABASE wintrades CHARACTER SET utf8mb4;
CREATE DATABASE wintrades_operator CHARACTER SET utf8mb4;

-- The highest attempt at a promotion that this server has been drawn into, and whose. Each server's own: never replicated. No row: no voter.
CREATE TABLE wintrades_operator.local_term (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY CHECK (id = 1),
  number BIGINT UNSIGNED NOT NULL,
  promoter VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
);

-- The primary's term, replicated. Of several writable servers the one with the highest number is the primary.
CREATE TABLE wintrades_operator.primary_term (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY CHECK (id = 1),
  number BIGINT UNSIGNED NOT NULL,
  promoter VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  server VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
);

-- A small commit now and then, replicated: makes good an acknowledgement that was lost with its connection, and tells how far a replica is behind.
CREATE TABLE wintrades_operator.pulse (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY CHECK (id = 1),
  number BIGINT UNSIGNED NOT NULL,
  at DATETIME(3) NOT NULL
);

DELIMITER $$

-- Stops the statements that follow it in the same packet.
CREATE PROCEDURE wintrades_operator.require(is_so BOOL, message VARCHAR(128))
SQL SECURITY INVOKER
BEGIN
  IF NOT COALESCE(is_so, FALSE) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
  END IF;
END$$

-- Unreplicated, on a server that may be closed: super_read_only is lifted for this one write, read_only is not, and both are back even if it fails.
CREATE PROCEDURE wintrades_operator.store_local_term(new_number BIGINT UNSIGNED, new_promoter VARCHAR(64), only_if_higher BOOL)
SQL SECURITY INVOKER
BEGIN
  DECLARE was_closed BOOL DEFAULT @@GLOBAL.super_read_only;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    IF was_closed THEN SET GLOBAL super_read_only = ON; END IF;
    RESIGNAL;
  END;
  CALL wintrades_operator.require(IS_USED_LOCK('wintrades_promotion') = CONNECTION_ID(), 'the lock is not held');
  SET SESSION sql_log_bin = 0;
  IF NOT only_if_higher OR NOT EXISTS (SELECT 1 FROM wintrades_operator.local_term WHERE number >= new_number) THEN
    IF was_closed THEN SET GLOBAL super_read_only = OFF; END IF;
    INSERT INTO wintrades_operator.local_term (id, number, promoter) VALUES (1, new_number, new_promoter)
      ON DUPLICATE KEY UPDATE number = new_number, promoter = new_promoter;
    IF was_closed THEN SET GLOBAL super_read_only = ON; END IF;
  END IF;
END$$

-- Replicated, on a server that is closed: the first transaction of a new primary.
CREATE PROCEDURE wintrades_operator.store_primary_term(new_number BIGINT UNSIGNED, new_promoter VARCHAR(64), new_server VARCHAR(64))
SQL SECURITY INVOKER
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET GLOBAL super_read_only = ON;
    SET SESSION sql_log_bin = 0;
    RESIGNAL;
  END;
  CALL wintrades_operator.require(IS_USED_LOCK('wintrades_promotion') = CONNECTION_ID(), 'the lock is not held');
  CALL wintrades_operator.require(@@GLOBAL.super_read_only, 'it is not closed');
  SET SESSION sql_log_bin = 1;
  SET GLOBAL super_read_only = OFF;
  INSERT INTO wintrades_operator.primary_term (id, number, promoter, server) VALUES (1, new_number, new_promoter, new_server)
    ON DUPLICATE KEY UPDATE number = new_number, promoter = new_promoter, server = new_server;
  SET GLOBAL super_read_only = ON;
  SET SESSION sql_log_bin = 0;
END$$

-- Ends an applier that has half a transaction, whose rest does not come: its receiver is off, and all that was received whole is applied.
CREATE PROCEDURE wintrades_operator.break_off_half()
SQL SECURITY INVOKER
BEGIN
  DECLARE half BIGINT UNSIGNED DEFAULT (
    SELECT threads.PROCESSLIST_ID
    FROM performance_schema.replication_applier_status_by_coordinator coordinator
    JOIN performance_schema.threads USING (THREAD_ID)
    JOIN performance_schema.replication_connection_status receiver ON receiver.CHANNEL_NAME = coordinator.CHANNEL_NAME
    WHERE coordinator.CHANNEL_NAME = '' AND coordinator.PROCESSING_TRANSACTION <> '' AND receiver.SERVICE_STATE <> 'ON'
      AND GTID_SUBSET(receiver.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)
  );
  IF half IS NOT NULL THEN
    KILL half;
  END IF;
END$$

DELIMITER ;

-- Each account exists twice, so that a password changes without anybody waiting: the one in use stays while the other gets a new one.
-- None but the operator's may write where read_only is set: that is what closes a server.

CREATE USER wintrades_app_a IDENTIFIED BY '@mysql_app_a@', wintrades_app_b IDENTIFIED BY '@mysql_app_b@' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES ON wintrades.* TO wintrades_app_a, wintrades_app_b;
GRANT SELECT ON wintrades_operator.* TO wintrades_app_a, wintrades_app_b;

CREATE USER wintrades_read_a IDENTIFIED BY '@mysql_read_a@', wintrades_read_b IDENTIFIED BY '@mysql_read_b@' REQUIRE SSL;
GRANT SELECT ON wintrades.* TO wintrades_read_a, wintrades_read_b;
GRANT SELECT ON wintrades_operator.* TO wintrades_read_a, wintrades_read_b;

CREATE USER wintrades_operator_a IDENTIFIED BY '@mysql_operator_a@',
  wintrades_operator_b IDENTIFIED BY '@mysql_operator_b@' REQUIRE SSL;
GRANT FILE, PROCESS, RELOAD, REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO wintrades_operator_a, wintrades_operator_b;
-- SYSTEM_USER: to end a thread of the system, in break_off_half.
GRANT CONNECTION_ADMIN, SYSTEM_USER, SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CLONE_ADMIN ON *.* TO wintrades_operator_a, wintrades_operator_b;
GRANT SELECT ON performance_schema.* TO wintrades_operator_a, wintrades_operator_b;
GRANT SELECT, INSERT, UPDATE, EXECUTE ON wintrades_operator.* TO wintrades_operator_a, wintrades_operator_b;
-- Partitions of the history, made ahead and dropped by age.
GRANT SELECT, ALTER, CREATE, DROP, INSERT ON wintrades.* TO wintrades_operator_a, wintrades_operator_b;

CREATE USER wintrades_replication_a IDENTIFIED BY '@mysql_replication_a@',
  wintrades_replication_b IDENTIFIED BY '@mysql_replication_b@' REQUIRE SSL;
-- BACKUP_ADMIN: a clone is read under this account too.
GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO wintrades_replication_a, wintrades_replication_b;

CREATE USER wintrades_backup_a IDENTIFIED BY '@mysql_backup_a@', wintrades_backup_b IDENTIFIED BY '@mysql_backup_b@' REQUIRE SSL;
-- BACKUP_ADMIN: to be cloned; BINLOG_ADMIN: to take away binary logs that are archived.
GRANT PROCESS, REPLICATION CLIENT, REPLICATION SLAVE, BACKUP_ADMIN, BINLOG_ADMIN ON *.* TO wintrades_backup_a, wintrades_backup_b;
GRANT SELECT ON wintrades.* TO wintrades_backup_a, wintrades_backup_b;
GRANT SELECT ON wintrades_operator.* TO wintrades_backup_a, wintrades_backup_b;

CREATE USER wintrades_exporter_a IDENTIFIED BY '@mysql_exporter_a@',
  wintrades_exporter_b IDENTIFIED BY '@mysql_exporter_b@' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3;
GRANT PROCESS, REPLICATION CLIENT ON *.* TO wintrades_exporter_a, wintrades_exporter_b;
GRANT SELECT ON performance_schema.* TO wintrades_exporter_a, wintrades_exporter_b;
