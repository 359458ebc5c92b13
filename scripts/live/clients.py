"""Real clients through the proxy: python clients.py URL. Prints one line for each, and exits with 1 if one fails."""

import sys

url = sys.argv[1]
MODEL = "tiny"
failed = 0


def check(name, run):
    global failed
    try:
        print(f"  {name}: {run()!r:.60}", flush=True)
    except Exception as error:  # noqa: BLE001
        failed += 1
        print(f"  {name}: FAILED {type(error).__name__}: {error}", flush=True)


def openai_checks():
    from openai import BadRequestError, OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key="none")
    messages = [{"role": "user", "content": "hello there"}]
    common = {"model": MODEL, "messages": messages, "max_tokens": 8, "temperature": 0}
    check("openai, chat", lambda: client.chat.completions.create(**common).choices[0].message.content)

    def streamed():
        chunks = client.chat.completions.create(**common, stream=True, stream_options={"include_usage": True})
        parts = list(chunks)
        assert parts[-1].usage.completion_tokens == 8
        return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

    check("openai, streamed chat", streamed)
    check(
        "openai, completion",
        lambda: client.completions.create(model=MODEL, prompt="hello", max_tokens=8, logprobs=1).choices[0].text,
    )
    check(
        "openai, response",
        lambda: client.responses.create(model=MODEL, input="hello", max_output_tokens=8).output_text,
    )
    check("openai, models", lambda: [model.id for model in client.models.list()])

    def rejected():
        try:
            client.chat.completions.create(model=MODEL, messages=messages, max_tokens=-1)
        except BadRequestError as error:
            return error.status_code
        raise AssertionError("not rejected")

    check("openai, bad request", rejected)


def anthropic_checks():
    from anthropic import Anthropic

    client = Anthropic(base_url=url, api_key="none")
    common = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}
    check("anthropic, message", lambda: client.messages.create(**common).content[0].text)

    def streamed():
        with client.messages.stream(**common) as stream:
            return "".join(stream.text_stream)

    check("anthropic, streamed message", streamed)


def litellm_checks():
    import litellm

    common = {
        "model": f"openai/{MODEL}",
        "api_base": f"{url}/v1",
        "api_key": "none",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 8,
    }
    check("litellm, chat", lambda: litellm.completion(**common).choices[0].message.content)
    check(
        "litellm, streamed chat",
        lambda: "".join(part.choices[0].delta.content or "" for part in litellm.completion(**common, stream=True)),
    )


def langchain_checks():
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key="none", max_tokens=8)
    check("langchain-openai, chat", lambda: chat.invoke("hello").content)
    check("langchain-openai, streamed chat", lambda: "".join(part.content for part in chat.stream("hello")))


for checks in (openai_checks, anthropic_checks, litellm_checks, langchain_checks):
    try:
        checks()
    except ImportError as error:
        failed += 1
        print(f"  {checks.__name__}: FAILED, {error}", flush=True)
sys.exit(1 if failed else 0)
