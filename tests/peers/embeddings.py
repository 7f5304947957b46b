"""Embeds texts with the openai client. Arguments: the base address, and the folder that texts.py wrote."""

import json
import pathlib
import sys

import numpy
import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="of the client", max_retries=0)
expected = json.loads((pathlib.Path(sys.argv[2]) / "expected.json").read_text())["cases"]
texts = [case["text"] for case in expected]
wanted = numpy.array([case["embedding"] for case in expected])


def difference(answer):
    """The largest, of as many embeddings as there are, in their order."""
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    given = numpy.array([item.embedding for item in answer.data])
    return numpy.abs(given - wanted[: len(given)]).max()


# The client asks for base64 of its own accord.
together = client.embeddings.create(model="minilm", input=texts)
print("together", difference(together) < 1e-4, len(together.data), together.model)
print("tokens", together.usage.prompt_tokens == sum(case["tokens"] for case in expected))
alone = client.embeddings.create(model="minilm", input=texts[0], encoding_format="float")
print("alone", difference(alone) < 1e-4, len(alone.data[0].embedding), alone.usage.total_tokens)
related, same, other = together.data[1].embedding, together.data[0].embedding, together.data[2].embedding
print("nearer", numpy.dot(same, related) > numpy.dot(same, other))
tokens = client.embeddings.create(model="minilm", input=[[101, 2129, 102], [101, 102]])
print("tokens of the client", len(tokens.data), tokens.usage.prompt_tokens)
for wrong in ({"input": []}, {"input": "a", "dimensions": 7}, {"input": [[1 << 30]]}):
    try:
        client.embeddings.create(model="minilm", **wrong)
    except openai.BadRequestError as error:
        problem = error.response.json()
        print("refused", error.status_code, problem["code"], problem["detail"])
print("models", [model.id for model in client.models.list()])
print("told in all", together.usage.prompt_tokens + alone.usage.prompt_tokens + tokens.usage.prompt_tokens)
