import pytest

from prefkit import runs
from prefkit.config import CandidatesConfig, GenerateConfig
from prefkit.generation.candidates import plan_candidates, run_candidates
from prefkit.generation.run import plan_generate, run_generate
from prefkit.records import Candidate, Chunk, Example
from prefkit.storage import read_records

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]


def test_the_embedded_model_drafts_grounded_examples_and_candidates(documents, workspace):
    settings = runs.Settings(workspace)
    plan = plan_generate(str(documents), GenerateConfig(), workspace)
    one, two = run_generate(plan, settings), run_generate(plan, settings)
    path = "data/examples.jsonl"
    assert (one.path / path).read_bytes() == (two.path / path).read_bytes()
    chunks = {c.id: c.text for c in read_records(one.path / "data/chunks.jsonl", Chunk)}
    examples = list(read_records(one.path / path, Example))
    assert "How often must the Heron engine be inspected?" in {
        example.prompt[0].content for example in examples
    }
    for example in examples:
        (quote,) = example.quotes
        assert quote.end <= len(chunks[quote.chunk_id])
        assert example.generator.startswith("SmolLM2-135M-Instruct/stepwise")

    config = CandidatesConfig(per_prompt=2, max_tokens=12)
    run = run_candidates(plan_candidates("@generate", config, workspace), settings)
    candidates = list(read_records(run.path / "data/candidates.jsonl", Candidate))
    assert {candidate.prompt_id for candidate in candidates} <= {e.id for e in examples}
    assert all(0 < candidate.tokens <= 12 for candidate in candidates)
