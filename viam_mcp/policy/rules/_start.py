"""The file that `viam-mcp policy init` prints."""

STARTING_FILE = """\
# What an assistant may do to the fleet, for viam-mcp serve --policy FILE. Check it with:
#   viam-mcp policy check FILE
#   viam-mcp policy explain delete_robot --policy FILE
#
# Every line below is a comment or says what is the default.

# Who confirms what has to be confirmed.
#   token   the user is asked by the client; a client that cannot ask gets an id for confirm_operation
#   elicit  the user is asked by the client; a client that cannot ask is refused
#   deny    nobody is asked, so what would have to be confirmed is refused
confirm_via = "token"

# How long a question stays open.
confirm_seconds = 600

# What becomes of a call that no rule below is about: allow, confirm or deny.
#   write        adds something that can be taken away again
#   destructive  deletes, overwrites, revokes, grants access, makes public, restarts, rolls out
# A read with dest, which writes a file below --files-dir, counts as a write, and with overwrite as destructive.
[defaults]
read = "allow"
write = "allow"
destructive = "confirm"

# How an answer gives a credential: redact, file (written to the state folder, for you alone) or reveal.
# Giving one in any way is confirmed unless a rule allows the tool.
[secrets]
read = "redact"  # list_keys, location_auth, parts with secrets
mint = "file"    # create_key, rotate_key, create_location_secret and their kin

# Limit everything, reads too, to organizations and locations, whatever the API key may do.
# With locations named, only they and those below them can be changed.
# [scope]
# organizations = ["00000000-0000-0000-0000-000000000000"]
# locations = ["abcdefghij"]

# How many destructive calls may run within an hour: of all callers together, in all processes, over restarts. Over HTTP
# the budget of the server's policy holds for callers with a policy of their own as well.
# A copy of this file shares its budget. Files that differ share one where both give it the same name.
# [budget]
# name = "night shift"
# destructive_per_hour = 20

# Rules: deny beats confirm beats allow, and any rule beats the defaults. A rule is about the calls that
# meet all that it names: tools, toolsets, effects (read, write, destructive), arguments. Tools and arguments take
# the wildcards * and ?. An argument inside another is named by its path, such as "authorizations.role"; of several
# arguments, all have to match.
# Arguments are brought into one normal form before a rule sees them: viam-mcp policy explain TOOL JSON shows it. A
# configuration as text is the configuration, public is a visibility, "services.type" is found by "services.api". A rule
# that denies or confirms is met by any spelling of a value, and by a value of which nothing can be told; one that
# allows only by exactly what it says.

# [[rules]]
# action = "deny"
# toolsets = ["keys"]
# effects = ["destructive"]
# reason = "keys are made by the platform team"

# [[rules]]
# action = "allow"
# tools = ["mark_part_for_restart"]

# The person types the name of what is deleted.
# [[rules]]
# confirm = "type-name"
# tools = ["delete_robot", "delete_fragment"]

# [[rules]]
# action = "deny"
# tools = ["add_role"]
# arguments = { role = "owner" }

# [[rules]]
# action = "deny"
# tools = ["create_key", "create_organization_invite"]
# arguments = { "authorizations.role" = "owner" }
"""
