#pragma once

namespace ichdet {

/// While it lives, this thread and LibTorch's worker threads treat denormal numbers as zero (x86: FTZ and DAZ), and
/// LibTorch runs on `threads` threads (0: leaves their number as it is). Both are put back at the end.
///
/// The flags belong to threads, and LibTorch's own switch sets the calling thread's alone. A denormal operand costs a
/// CPU over a hundred cycles: BLAST-CT's network is some thirty times slower with them.
class InferenceThreads {
 public:
  explicit InferenceThreads(int threads = 0);
  ~InferenceThreads();
  InferenceThreads(const InferenceThreads&) = delete;
  InferenceThreads& operator=(const InferenceThreads&) = delete;

 private:
  bool caller_was_flushing_;
  int threads_before_;
};

}  // namespace ichdet
