# The tokenizer's test programs need the vocabularies; test_tokenizer compares with gpt-tokenizer's own counts, which a fixture has node
# write to tokens/vectors.
foreach(program test_tokenizer test_tokenizer_ranks fuzz_tokenizer bench_tokenizer)
  if(TARGET ${program})
    add_dependencies(${program} airgate_tokens)
  endif()
endforeach()
if(TARGET test_tokenizer)
  add_test(NAME domain/tokenizer_vectors
           COMMAND ${NODE_PROGRAM} ${CMAKE_CURRENT_LIST_DIR}/tokenizer-vectors.mjs ${tokenizer_package} ${tokenizer_directory}/vectors)
  set_tests_properties(domain/tokenizer_vectors PROPERTIES FIXTURES_SETUP tokenizer_vectors TIMEOUT 300)
  set_tests_properties(domain/test_tokenizer PROPERTIES FIXTURES_REQUIRED tokenizer_vectors)
endif()
