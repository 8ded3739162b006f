-- Every row of an organisation is seen, and written, in two scopes only: its organisation's and the whole system's. A
-- transaction says its scope in `bartizan.scope`; without one it sees nothing. FORCE: the owner of the tables, too.
--
-- Sub-selects without a reference to the row are worked out once for each statement, not for each row.
DO $$
DECLARE
    scope CONSTANT TEXT := '(SELECT current_setting(''bartizan.scope'', true))';
    guarded RECORD;
    seen TEXT;
BEGIN
    FOR guarded IN
        SELECT * FROM (VALUES
            ('organizations', 'id'),
            ('role_bindings', 'organization_id'),
            ('suspended_bindings', 'organization_id'),
            ('sessions', 'organization_id'),
            ('invitations', 'organization_id'),
            ('services', 'organization_id'),
            ('api_keys', 'COALESCE(organization_id, '''')'),
            ('custom_roles', 'organization_id'),
            ('authorization_codes', 'organization_id'),
            ('token_families', 'organization_id')
        ) AS tables (name, organization)
    LOOP
        seen := format('%s = ''everything'' OR %s = ''organization:'' || %s', scope, scope, guarded.organization);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('CREATE POLICY in_scope ON %I USING (%s) WITH CHECK (%s)', guarded.name, seen, seen);
    END LOOP;

    -- What belongs to a row of the above is seen with it: the inner SELECT is bound by the policy of its table.
    FOR guarded IN
        SELECT * FROM (VALUES
            ('service_credentials', 'services', 'service_id'),
            ('service_roles', 'services', 'service_id'),
            ('api_key_secrets', 'api_keys', 'key_id'),
            ('refresh_tokens', 'token_families', 'family_id')
        ) AS tables (name, parent, reference)
    LOOP
        seen := format(
            '%s = ''everything'' OR EXISTS (SELECT 1 FROM %I parent WHERE parent.id = %I.%I)',
            scope, guarded.parent, guarded.name, guarded.reference
        );
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('CREATE POLICY in_scope ON %I USING (%s) WITH CHECK (%s)', guarded.name, seen, seen);
    END LOOP;

    -- Everybody adds to the audit trail; an organisation reads what concerns it, and changes nothing.
    EXECUTE 'ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY';
    EXECUTE 'ALTER TABLE audit_entries FORCE ROW LEVEL SECURITY';
    EXECUTE 'CREATE POLICY written_by_all ON audit_entries FOR INSERT WITH CHECK (true)';
    EXECUTE format(
        'CREATE POLICY read_in_scope ON audit_entries FOR SELECT USING '
        '(%s = ''everything'' OR %s = ''organization:'' || organization_id)', scope, scope
    );
    EXECUTE format('CREATE POLICY removed_by_the_system ON audit_entries FOR DELETE USING (%s = ''everything'')', scope);
END
$$;
