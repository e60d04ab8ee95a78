-- Ballast's books of record, schema version 1: what `ballast sink postgres` keeps up to date from the feed.
-- Amounts are decimals of their ledger's scale, exactly. Times are UTC, cut to microseconds; *_ns have them in Unix nanoseconds.
-- Nobody else writes to these tables; add indexes, views and grants as you like.
CREATE SCHEMA ballast;

-- What all tables show: everything up to one entry. It is committed together with the rows.
CREATE TABLE ballast.position (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version integer NOT NULL,
    cluster_id     uuid    NOT NULL,
    sequence       bigint  NOT NULL, -- the newest entry; 0: none
    link           bigint  NOT NULL, -- its check value, which the feed compares
    log_time_ns    bigint  NOT NULL  -- its log time; 0: none
);

CREATE TABLE ballast.ledgers (
    name             text   COLLATE "C" PRIMARY KEY,
    asset            text   NOT NULL,
    scale            integer NOT NULL, -- decimal places
    created_sequence bigint NOT NULL
);

-- Every account as it is at the position. available is posted - held - floor.
CREATE TABLE ballast.accounts (
    id              text    COLLATE "C" PRIMARY KEY,
    ledger          text    COLLATE "C" NOT NULL REFERENCES ballast.ledgers,
    posted          numeric NOT NULL,
    held            numeric NOT NULL,
    floor           numeric,          -- null: a ledger's own account, which has none
    ceiling         numeric,          -- null: none
    low_balance     numeric,          -- null: no threshold
    frozen          boolean NOT NULL, -- no debits
    frozen_credits  boolean NOT NULL, -- no credits either
    closed          boolean NOT NULL,
    system          boolean NOT NULL, -- a ledger's own account
    opened_sequence bigint  NOT NULL,
    last_sequence   bigint  NOT NULL  -- its newest entry
);

-- Every hold that there ever was. An id may come again once the cluster has forgotten it, but never twice open.
CREATE TABLE ballast.holds (
    created_sequence bigint      PRIMARY KEY,
    id               text        COLLATE "C" NOT NULL,
    account          text        COLLATE "C" NOT NULL REFERENCES ballast.accounts,
    state            text        NOT NULL CHECK (state IN ('open', 'captured', 'voided', 'expired')),
    amount           numeric     NOT NULL, -- when it was made
    captured         numeric     NOT NULL, -- so far
    remaining        numeric     NOT NULL, -- held now
    in_parts         boolean     NOT NULL,
    expires          timestamptz NOT NULL,
    last_sequence    bigint      NOT NULL
);
CREATE UNIQUE INDEX holds_open ON ballast.holds (id) WHERE state = 'open';
CREATE INDEX holds_account ON ballast.holds (account, created_sequence);

-- The journal. Kinds are those of docs/formats/entry.md.
CREATE TABLE ballast.entries (
    sequence          bigint      PRIMARY KEY,
    log_time          timestamptz NOT NULL,
    log_time_ns       bigint      NOT NULL,
    kind              text        NOT NULL,
    ledger            text        COLLATE "C", -- null: it is about none
    debit_account     text        COLLATE "C", -- null: none
    credit_account    text        COLLATE "C", -- null: none; or the account that the entry is about
    amount            numeric     NOT NULL,
    debit_posted      numeric,                 -- balances right after
    credit_posted     numeric,
    operation_id      text        COLLATE "C" NOT NULL,
    event_time        timestamptz,             -- the caller's own
    event_time_ns     bigint,
    code              bigint      NOT NULL,
    reference         text        NOT NULL,
    hold_id           text        COLLATE "C", -- entries of holds
    hold_remaining    numeric,
    hold_released     numeric,
    asked             numeric,                 -- up-to transfers
    reversed_sequence bigint,                  -- reversals
    details           jsonb                    -- what only some kinds have, with the wire's names
);
CREATE INDEX entries_debit ON ballast.entries (debit_account, sequence) WHERE debit_account IS NOT NULL;
CREATE INDEX entries_credit ON ballast.entries (credit_account, sequence) WHERE credit_account IS NOT NULL;
