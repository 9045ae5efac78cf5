/* Objects whose keys begin with a prefix are not written. */
#include <string.h>

#include "plugin.h"

#define PREFIX_MAX 256

static char prefix[PREFIX_MAX];
static size_t prefix_len;

void exports_plugin_describe(plugin_manifest_t *manifest) {
    static sluice_policy_types_operation_t writes[] = {
        SLUICE_POLICY_TYPES_OPERATION_PUT_OBJECT,
        SLUICE_POLICY_TYPES_OPERATION_CREATE_MULTIPART_UPLOAD,
    };
    static sluice_policy_types_interest_t interest = {
        .phase = SLUICE_POLICY_TYPES_PHASE_AUTHORIZE,
        .operations = {writes, sizeof writes / sizeof *writes},
    };
    memset(manifest, 0, sizeof *manifest);
    plugin_string_set(&manifest->name, "deny-prefix");
    plugin_string_set(&manifest->version, "1.0.0");
    manifest->interests.ptr = &interest;
    manifest->interests.len = 1;
}

/* Finds the string in `{"prefix": "..."}`, which has no escapes. */
static bool read_prefix(plugin_string_t text) {
    static const char name[] = "{\"prefix\":";
    const char *at = (const char *)text.ptr, *end = at + text.len;
    if (text.len < sizeof name || memcmp(at, name, sizeof name - 1) != 0) {
        return false;
    }
    at += sizeof name - 1;
    if (*at != '"') {
        return false;
    }
    for (at++; at < end && *at != '"' && *at != '\\' && prefix_len < PREFIX_MAX; at++) {
        prefix[prefix_len++] = *at;
    }
    return prefix_len > 0 && end - at == 2 && at[0] == '"' && at[1] == '}';
}

bool exports_plugin_configure(plugin_string_t *settings, plugin_string_t *error) {
    prefix_len = 0;
    bool read = read_prefix(*settings);
    if (!read) {
        plugin_string_set(error, "`prefix` is a text of 1 to 256 bytes, and the only setting");
    }
    plugin_string_free(settings);
    return read;
}

void exports_plugin_authorize(plugin_vote_t *vote) {
    plugin_string_t key;
    memset(vote, 0, sizeof *vote);
    vote->tag = SLUICE_POLICY_TYPES_VOTE_ABSTAIN;
    if (!sluice_policy_access_key(&key)) {
        return;
    }
    if (key.len >= prefix_len && memcmp(key.ptr, prefix, prefix_len) == 0) {
        vote->tag = SLUICE_POLICY_TYPES_VOTE_DENY;
        plugin_string_set(&vote->val.deny.code, "AccessDenied");
        plugin_string_set(&vote->val.deny.message, "Keys with this prefix are not written.");
    }
    plugin_string_free(&key);
}

/* It is interested in nothing else. */

void exports_plugin_authenticate(plugin_authentication_t *authentication) {
    authentication->tag = SLUICE_POLICY_TYPES_AUTHENTICATION_ABSTAIN;
}

bool exports_plugin_prepare(plugin_denial_t *denial) {
    (void)denial;
    return true;
}

bool exports_plugin_serve(plugin_reply_t *reply, plugin_denial_t *denial) {
    (void)reply;
    memset(denial, 0, sizeof *denial);
    plugin_string_set(&denial->code, "NotImplemented");
    plugin_string_set(&denial->message, "Nothing is served here.");
    return false;
}

void exports_plugin_respond(uint16_t status, plugin_list_tuple2_string_string_t *headers) {
    (void)status;
    headers->ptr = NULL;
    headers->len = 0;
}
