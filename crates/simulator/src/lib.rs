//! Economies of contributors over simulated time: scenario, agents, event queue, recorder.
