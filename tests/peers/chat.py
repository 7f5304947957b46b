"""Chats with the openai client, whole and streamed. Argument: the base address."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="of the client", max_retries=0)
question = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is the answer?"}]}
whole = client.chat.completions.create(**question)
print("whole", whole.choices[0].finish_reason, whole.usage.completion_tokens)
chunks = list(
    client.chat.completions.create(**question, stream=True, stream_options={"include_usage": True})
)
text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
print("streamed", text == whole.choices[0].message.content, chunks[-1].usage.completion_tokens)
