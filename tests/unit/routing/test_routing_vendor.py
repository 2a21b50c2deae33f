import pytest

from tollbridge.core.call import Bucket, Operation, bucket_of
from tollbridge.routing.vendor import vendor_of


@pytest.mark.parametrize(
    ("label", "bucket"),
    [
        ("gpt-4o-mini", Bucket.OPENAI),
        ("GPT-5.2", Bucket.OPENAI),
        ("o3", Bucket.OPENAI),
        ("text-embedding-3-small", Bucket.OPENAI),
        ("openai/gpt-4o", Bucket.OPENAI),
        ("claude-haiku-4-5", Bucket.ANTHROPIC),
        ("anthropic/claude-sonnet-5", Bucket.ANTHROPIC),
        ("gemini-2.5-flash", Bucket.GEMINI),
        ("google/gemini-2.5-pro", Bucket.GEMINI),
        ("wavespeed-ai/any", Bucket.WAVESPEED),
        ("openai/gpt-oss-120b:groq", Bucket.MISTRAL),
        ("gpt-oss-20b", Bucket.MISTRAL),
        ("google/gemma-3", Bucket.MISTRAL),
        ("mistral-small-latest", Bucket.MISTRAL),
        ("grok-4.3", Bucket.MISTRAL),
        ("sandbox-small", Bucket.MISTRAL),
        ("text", Bucket.MISTRAL),
        ("", Bucket.MISTRAL),
    ],
)
def test_a_label_counts_in_its_vendors_bucket_and_open_weights_in_theirs(
    label: str,
    bucket: Bucket,
) -> None:
    assert bucket_of(Operation.CHAT_COMPLETION, vendor_of(label)) is bucket
