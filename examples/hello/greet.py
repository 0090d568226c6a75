import json, sys

for line in sys.stdin:
    request = json.loads(line)
    word = request["params"].get("word", "Hello")
    name = request["context"].get("name", "world")
    answer = {"id": request["id"], "output": f"{word}, {name}!"}
    print(json.dumps(answer), flush=True)
