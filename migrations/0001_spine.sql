-- The spine: a report comes in, is de-identified, assessed, reviewed, signed, released; every step is an audit entry.
-- Append-only: this file is never edited after it has landed. What identifies a patient is sealed (bytea, AES-256-GCM)
-- or a keyed digest (HMAC-SHA-256); `sealed` in a comment means just that.

CREATE TABLE tenant (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9-]{1,31}$'),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE tenant IS 'A hospital. Every other table has its id.';

CREATE TABLE account (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    username text NOT NULL CHECK (username ~ '^[a-z][a-z0-9.-]{1,31}$'),
    display_name text NOT NULL,
    roles text[] NOT NULL,
    password_hash text NOT NULL,
    practitioner bytea,
    demo boolean NOT NULL,
    failed_logins integer NOT NULL DEFAULT 0 CHECK (failed_logins >= 0),
    locked_until timestamptz,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, username),
    UNIQUE (tenant_id, id)
);
COMMENT ON TABLE account IS 'A person who signs in.';
COMMENT ON COLUMN account.password_hash IS 'Argon2id, PHC string.';
COMMENT ON COLUMN account.practitioner IS 'Keyed digest of the identifier by which reports name this person.';
CREATE UNIQUE INDEX account_practitioner ON account (tenant_id, practitioner) WHERE practitioner IS NOT NULL;

CREATE TABLE session (
    token bytea PRIMARY KEY CHECK (octet_length(token) = 32),
    tenant_id uuid NOT NULL REFERENCES tenant,
    account_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);
COMMENT ON TABLE session IS 'A sign-in of the portal. The cookie holds the token; here is its SHA-256.';

CREATE TABLE client (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    name text NOT NULL,
    secret_hash text NOT NULL,
    demo boolean NOT NULL,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name),
    UNIQUE (tenant_id, id)
);
COMMENT ON TABLE client IS 'A system that calls the API, such as an EHR.';

CREATE TABLE client_token (
    token bytea PRIMARY KEY CHECK (octet_length(token) = 32),
    tenant_id uuid NOT NULL REFERENCES tenant,
    client_id uuid NOT NULL,
    fixed boolean NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CHECK (fixed = (expires_at IS NULL)),
    FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
COMMENT ON TABLE client_token IS 'Bearer tokens by SHA-256. A fixed one has no end and is accepted under `up` alone.';

CREATE TABLE reading_pool (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    service text NOT NULL CHECK (service ~ '^[A-Z0-9]{2,16}$'),
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, service),
    UNIQUE (tenant_id, id)
);
COMMENT ON TABLE reading_pool IS 'Who reads for a diagnostic service (HL7 v2 table 0074).';

CREATE TABLE reading_pool_member (
    tenant_id uuid NOT NULL REFERENCES tenant,
    pool_id uuid NOT NULL,
    account_id uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    PRIMARY KEY (pool_id, account_id),
    FOREIGN KEY (tenant_id, pool_id) REFERENCES reading_pool (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);

CREATE TABLE patient (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    demographics bytea NOT NULL,
    resource bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id)
);
COMMENT ON TABLE patient IS 'A patient under a random id.';
COMMENT ON COLUMN patient.demographics IS 'Sealed: what the scrubber must find.';
COMMENT ON COLUMN patient.resource IS 'Sealed: the Patient resource as it came.';

CREATE TABLE patient_identifier (
    tenant_id uuid NOT NULL REFERENCES tenant,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    patient_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id)
);
COMMENT ON TABLE patient_identifier IS 'Keyed digests of system and value, to find a patient again.';

CREATE TABLE report (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    identity bytea NOT NULL CHECK (octet_length(identity) = 32),
    client_id uuid NOT NULL,
    current_version integer NOT NULL CHECK (current_version > 0),
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, identity),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
COMMENT ON TABLE report IS 'A report under all its versions: the case.';
COMMENT ON COLUMN report.identity IS 'Keyed digest of what makes it the same report when it comes again.';

CREATE TYPE case_state AS ENUM ('received', 'deidentified', 'assessed', 'claimed', 'signed', 'released', 'void');

CREATE TABLE report_version (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    report_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    state case_state NOT NULL,
    status text NOT NULL,
    service text NOT NULL,
    patient_id uuid NOT NULL,
    client_id uuid NOT NULL,
    content bytea NOT NULL CHECK (octet_length(content) = 32),
    submitted bytea NOT NULL,
    resource bytea NOT NULL,
    note bytea NOT NULL,
    mentioned bytea NOT NULL,
    received_at timestamptz NOT NULL,
    scrubbed bytea,
    scrubbed_digest bytea CHECK (octet_length(scrubbed_digest) = 32),
    scrubber integer,
    redactions bytea,
    voided_at timestamptz,
    UNIQUE (report_id, version),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, report_id) REFERENCES report (tenant_id, id),
    FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
    CONSTRAINT scrubbed_is_whole CHECK (num_nonnulls(scrubbed, scrubbed_digest, scrubber, redactions) IN (0, 4)),
    CONSTRAINT scrubbed_before_assessed CHECK (state IN ('received', 'void') OR scrubbed IS NOT NULL),
    CONSTRAINT void_has_time CHECK ((state = 'void') = (voided_at IS NOT NULL))
);
COMMENT ON TABLE report_version IS 'One version of a report and its state.';
COMMENT ON COLUMN report_version.content IS 'Keyed digest of what makes it the same content.';
COMMENT ON COLUMN report_version.submitted IS 'Sealed: the accepted request body, byte for byte.';
COMMENT ON COLUMN report_version.resource IS 'Sealed: the DiagnosticReport within it, byte for byte.';
COMMENT ON COLUMN report_version.note IS 'Sealed: the text to assess.';
COMMENT ON COLUMN report_version.mentioned IS 'Sealed: people and numbers that the report itself names.';
COMMENT ON COLUMN report_version.scrubbed IS 'Sealed: the de-identified note.';
COMMENT ON COLUMN report_version.redactions IS 'Sealed: where replacements stood.';
CREATE INDEX report_version_queue ON report_version (tenant_id, received_at) WHERE state IN ('assessed', 'claimed');

CREATE TABLE assessment (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    version_id uuid NOT NULL UNIQUE,
    model bytea NOT NULL CHECK (octet_length(model) = 32),
    outcome bytea NOT NULL,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, version_id) REFERENCES report_version (tenant_id, id)
);
COMMENT ON TABLE assessment IS 'A suggestion. Row security: no door but the portal and the workers sees one before it is signed.';
COMMENT ON COLUMN assessment.outcome IS 'Sealed: label, scores, explanation.';

CREATE TABLE claim (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    version_id uuid NOT NULL,
    account_id uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > since),
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('given-back', 'expired', 'signed', 'superseded')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    UNIQUE (tenant_id, id),
    UNIQUE (id, version_id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES report_version (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);
COMMENT ON TABLE claim IS 'A lease for review: one at a time for a version, and never without an end.';
CREATE UNIQUE INDEX claim_one_at_a_time ON claim (version_id) WHERE ended_at IS NULL;
CREATE INDEX claim_by_end ON claim (until) WHERE ended_at IS NULL;

CREATE TABLE signature (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    version_id uuid NOT NULL UNIQUE,
    claim_id uuid NOT NULL UNIQUE,
    account_id uuid NOT NULL,
    key_name text NOT NULL,
    statement bytea NOT NULL,
    signature bytea NOT NULL CHECK (octet_length(signature) = 64),
    comment bytea NOT NULL,
    result bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (id, version_id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES report_version (tenant_id, id),
    FOREIGN KEY (claim_id, version_id) REFERENCES claim (id, version_id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id)
);
COMMENT ON TABLE signature IS 'A physician''s signature, on a version that he had claimed.';
COMMENT ON COLUMN signature.statement IS 'Sealed: the signed bytes.';

CREATE TABLE release (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    version_id uuid NOT NULL UNIQUE,
    signature_id uuid NOT NULL,
    client_id uuid NOT NULL,
    result bytea NOT NULL,
    released_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, version_id) REFERENCES report_version (tenant_id, id),
    FOREIGN KEY (signature_id, version_id) REFERENCES signature (id, version_id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
COMMENT ON TABLE release IS 'What the EHR may read: there is no row without a signature on the same version.';

CREATE TABLE care_relation (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    report_id uuid NOT NULL,
    account_id uuid,
    pool_id uuid,
    basis text NOT NULL CHECK (basis IN ('encounter', 'performer', 'reading-pool', 'claim')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    event_id uuid NOT NULL,
    CHECK (num_nonnulls(account_id, pool_id) = 1),
    FOREIGN KEY (tenant_id, report_id) REFERENCES report (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES account (tenant_id, id),
    FOREIGN KEY (tenant_id, pool_id) REFERENCES reading_pool (tenant_id, id)
);
COMMENT ON TABLE care_relation IS 'Who may see identified text, from when, until when, and by which event.';
CREATE INDEX care_relation_by_report ON care_relation (report_id);

CREATE TABLE job (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    kind text NOT NULL CHECK (kind IN ('deidentify', 'assess')),
    version_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('ready', 'running', 'done', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL,
    lease uuid,
    lease_until timestamptz,
    failure text,
    UNIQUE (kind, version_id),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    FOREIGN KEY (tenant_id, version_id) REFERENCES report_version (tenant_id, id)
);
COMMENT ON TABLE job IS 'Background work. The payload is an id; the failure is a code.';
CREATE INDEX job_ready ON job (run_at) WHERE state IN ('ready', 'running');

-- The audit log: the row in the transaction of its effect, then a dense index, a leaf and a signed checkpoint by the sequencer.
CREATE TABLE audit_entry (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenant,
    position bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid NOT NULL,
    roles text[] NOT NULL,
    kind text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    subject_version integer NOT NULL,
    policies text[] NOT NULL,
    facts text NOT NULL
);
COMMENT ON TABLE audit_entry IS 'What happened, in ids, verbs and digests. Never text.';
CREATE INDEX audit_entry_by_time ON audit_entry (tenant_id, position DESC);
CREATE INDEX audit_entry_by_subject ON audit_entry (tenant_id, subject_id, position DESC);

CREATE TABLE audit_pending (
    entry_id uuid PRIMARY KEY REFERENCES audit_entry,
    tenant_id uuid NOT NULL REFERENCES tenant
);
COMMENT ON TABLE audit_pending IS 'Entries that the sequencer has not given an index yet.';

CREATE TABLE audit_leaf (
    tenant_id uuid NOT NULL REFERENCES tenant,
    index bigint NOT NULL CHECK (index >= 0),
    entry_id uuid NOT NULL UNIQUE REFERENCES audit_entry,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, index)
);
COMMENT ON TABLE audit_leaf IS 'RFC 6962 leaf hashes in order.';

CREATE TABLE audit_checkpoint (
    tenant_id uuid NOT NULL REFERENCES tenant,
    size bigint NOT NULL CHECK (size > 0),
    epoch bigint NOT NULL,
    note text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, size)
);
COMMENT ON TABLE audit_checkpoint IS 'C2SP signed checkpoints, one a batch.';

CREATE TABLE audit_sequencer (
    tenant_id uuid PRIMARY KEY REFERENCES tenant,
    epoch bigint NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    frontier bytea NOT NULL
);
COMMENT ON TABLE audit_sequencer IS 'Where the sequencer stands; an older epoch may not write.';

-- Append-only: the application cannot change or remove what the log says.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON signature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON release FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON assessment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Before the signature no door but these two sees a suggestion, whatever the query says.
ALTER TABLE assessment ENABLE ROW LEVEL SECURITY;
ALTER TABLE assessment FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON assessment FOR SELECT USING (
    current_setting('countersign.door', true) IN ('portal', 'work')
    OR EXISTS (SELECT FROM signature s WHERE s.version_id = assessment.version_id)
);
CREATE POLICY work ON assessment FOR INSERT WITH CHECK (current_setting('countersign.door', true) = 'work');
