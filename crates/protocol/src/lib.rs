//! The rules of cotrain, pure: sample codecs, learners in fixed point, deposits, settlement, records.
