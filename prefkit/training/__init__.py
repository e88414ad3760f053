"""Train a LoRA adapter through TRL's trainers: SFT, DPO, KTO, SimPO.

`methods`, `data`, `arguments`, `checkpoints`, `heldout`, `card` and `run` import no torch;
`adapters`, `trainer`, `callbacks` and `train` do.
"""
