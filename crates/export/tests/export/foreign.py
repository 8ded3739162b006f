"""Reads texts in the formats of exports, one JSON object a line, and says what others' parsers make of them."""

import base64
import json
import logging
import re
import sys

import pycef
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from syslog_rfc5424_parser import SyslogMessage

logging.disable(logging.CRITICAL)


def unescaped(text):
    """pycef finds the pairs and leaves their escapes to whoever reads them."""
    letters = {"n": "\n", "r": "\r"}
    return re.sub(r"\\(.)", lambda found: letters.get(found[1], found[1]), text)


def cef(text):
    return {key: unescaped(value) for key, value in pycef.parse(text).items()}


def syslog(text):
    message = SyslogMessage.parse(text).as_dict()
    message["structured_data"] = {
        name: {key: re.sub(r'\\([\\"\]])', r"\1", value) for key, value in pairs.items()}
        for name, pairs in message.pop("sd").items()
    }
    return message


def otlp(text):
    request = ExportLogsServiceRequest()
    request.ParseFromString(base64.b64decode(text))
    return MessageToDict(request)


forms = {"cef": cef, "syslog": syslog, "otlp": otlp}
for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(forms[question["form"]](question["text"])))
