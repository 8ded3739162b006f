"""Reads events, one a line, and says of each what the schema of OCSF has against it."""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(sys.argv[1]))
validators = {}

for line in sys.stdin:
    event = json.loads(line)
    # The one object of our own. Everything else must be known to OCSF: its schema admits nothing else.
    assert event.pop("bartizan")["event"]
    name = schema.lookup_class_name_from_uid(event["class_uid"])
    if name not in validators:
        of_class = schema.get_class_schema(name, event["metadata"]["profiles"])
        validators[name] = Draft202012Validator(of_class)
    errors = list(validators[name].iter_errors(event))
    # The schema leaves open whether numbers that follow from others do.
    if event["category_uid"] != event["class_uid"] // 1000:
        errors.append("category_uid")
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        errors.append("type_uid")
    told = [f"{list(error.path)}: {error.message[:200]}" if hasattr(error, "path") else error for error in errors]
    print("; ".join(told) if told else "valid")
