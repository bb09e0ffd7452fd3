/* SPDX-License-Identifier: MIT */
/* The instruction sets, best first. For each there is a row here and a file NAME.c with
 * chacha20_NAME().
 *
 * Every build knows all names, since VGETRANDOM_CHACHA20 may have any of them. What is in
 * ON_X86_64() and the like exists only on that architecture. There is no include guard: the
 * including file defines what SET() makes of a row.
 */
/* clang-format off */
SET(avx512, ON_X86_64(.keystream = chacha20_avx512,
		      .copy_and_erase = copy_and_erase_avx,
		      .is_supported = cpu_x86_has_avx512))
SET(avx2, ON_X86_64(.keystream = chacha20_avx2,
		    .copy_and_erase = copy_and_erase_avx,
		    .is_supported = cpu_x86_has_avx2))
SET(sse2, ON_X86_64(.keystream = chacha20_sse2,
		    .copy_and_erase = copy_and_erase_words,
		    .is_supported = always))
SET(neon, ON_AARCH64(.keystream = chacha20_neon,
		     .copy_and_erase = copy_and_erase_words,
		     .is_supported = always))
SET(portable, .keystream = chacha20_portable,
	      .copy_and_erase = copy_and_erase_words,
	      .is_supported = always)
/* clang-format on */
#undef SET
