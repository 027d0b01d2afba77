"""Parts of ``tests/campaign.py``: accidents that happen to trainings, and what must be left afterwards."""
