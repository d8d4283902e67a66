# The letters of contact sheets as read-only data (see NOTICE), between labels for font.cpp.
    .section .rodata
    .globl w2w_font_regular_begin, w2w_font_semibold_begin
    .hidden w2w_font_regular_begin
    .hidden w2w_font_semibold_begin
w2w_font_regular_begin:
    .incbin "open_sans_regular.ttf"
w2w_font_semibold_begin:
    .incbin "open_sans_semibold.ttf"
    .section .note.GNU-stack, "", %progbits
