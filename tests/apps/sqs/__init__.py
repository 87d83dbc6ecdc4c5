"""An app on SQS, and SQS to record it with."""
