# clip_merges.txt.gz as read-only data (see NOTICE), between two labels for builtin_vocabulary.cpp.
    .section .rodata
    .globl w2w_clip_merges_begin, w2w_clip_merges_end
    .hidden w2w_clip_merges_begin
    .hidden w2w_clip_merges_end
w2w_clip_merges_begin:
    .incbin "clip_merges.txt.gz"
w2w_clip_merges_end:
    .section .note.GNU-stack, "", %progbits
