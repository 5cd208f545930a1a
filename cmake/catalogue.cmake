# The catalogue of models: tables generated from npm packages into the build directory, compiled into the domain module.
#   airgate_catalogue(PACKAGE SCRIPT TABLES)   node_modules/PACKAGE, read by scripts/SCRIPT, becomes generated/TABLES
find_program(NODE_PROGRAM node HINTS ${CMAKE_SOURCE_DIR}/build/node/bin REQUIRED)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)

function(airgate_catalogue package script tables)
  set(directory ${CMAKE_SOURCE_DIR}/node_modules/${package})
  set(source ${CMAKE_BINARY_DIR}/generated/${tables})
  if(NOT EXISTS ${directory}/package.json)
    message(FATAL_ERROR "${package} is missing in node_modules: run `make setup` first (it installs the catalogue's packages from npm)")
  endif()
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${NODE_PROGRAM} ${CMAKE_SOURCE_DIR}/scripts/${script} ${directory} ${source}
    DEPENDS ${CMAKE_SOURCE_DIR}/scripts/${script} ${directory}/package.json
    COMMENT "Generating ${tables}"
    VERBATIM)
  target_sources(airgate_domain PRIVATE ${source})
endfunction()

airgate_catalogue(@pydantic/genai-prices price-catalogue.mjs price_catalogue_tables.c)
airgate_catalogue(gpt-tokenizer model-limits.mjs model_limits_tables.c)
