"""Holds the interface's document, and answers that were given, against OpenAPI 3.1 by other people's libraries.

Arguments: the document's file, and one with a list of answers: path, media type and, of JSON, the body.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

document = json.load(open(sys.argv[1]))
validate(document)
resource = Resource(contents=document, specification=DRAFT202012)
registry = Registry().with_resource("urn:document", resource)


def pointer(*parts):
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


checked = 0
for answer in json.load(open(sys.argv[2])):
    content = document["paths"][answer["path"]]["get"]["responses"][str(answer["status"])]["content"]
    media = next(name for name in content if name.split(";")[0] == answer["media"].split(";")[0])
    if "body" in answer:
        at = pointer("paths", answer["path"], "get", "responses", str(answer["status"]), "content", media, "schema")
        schema = {"$ref": "urn:document#" + at}
        Draft202012Validator(schema, registry=registry).validate(answer["body"])
        checked += 1
print(f"{checked} answers hold")
