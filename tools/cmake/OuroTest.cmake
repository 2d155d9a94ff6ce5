include(GoogleTest)

# Open MPI on one machine: more ranks than cores, waiting ranks that yield, no network but the loopback. It gives
# its ranks a terminal, for which GoogleTest would use colours.
# Open MPI also leaks, much of it in plugins that are unloaded when the leaks are reported, so that no
# suppression can name them: leaks are looked for in the tests without MPI only.
set(OURO_MPI_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1
  OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_btl_tcp_if_include=lo
  OMPI_MCA_oob_tcp_if_include=lo
  GTEST_COLOR=no
  ASAN_OPTIONS=detect_leaks=0)

# Instrumented code is slower, deadlocks are not.
function(ouro_test_timeout seconds out)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    math(EXPR seconds "5 * ${seconds}")
  endif()
  set(${out} ${seconds} PARENT_SCOPE)
endfunction()

function(ouro_test_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

# ouro_test(NAME SOURCES a.cpp ... [LIBS libs] [TIMEOUT seconds])
#
# GoogleTests that need no MPI: each is a test of its own for CTest. Does nothing without sources.
function(ouro_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBS")
  if(NOT arg_SOURCES)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  ouro_test_executable(${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS} GTest::gmock GTest::gtest_main)
  ouro_test_timeout(${arg_TIMEOUT} timeout)
  gtest_discover_tests(${name}
    TEST_PREFIX ${name}. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${timeout})
endfunction()

# ouro_mpi_test(NAME RANKS n SOURCES a.cpp ... [LIBS libs] [TIMEOUT seconds])
#
# GoogleTests that run on n ranks, all in one launch, which is one test for CTest: NAME.npN. TIMEOUT turns a
# deadlock into a failure. Does nothing without sources.
function(ouro_mpi_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "RANKS;TIMEOUT" "SOURCES;LIBS")
  if(NOT arg_SOURCES)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 400)
  endif()
  ouro_test_executable(${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS} GTest::gmock mpi_test_main)
  ouro_test_timeout(${arg_TIMEOUT} timeout)
  set(test ${name}.np${arg_RANKS})
  add_test(NAME ${test}
    COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${arg_RANKS} $<TARGET_FILE:${name}>)
  set_tests_properties(${test} PROPERTIES
    PROCESSORS ${arg_RANKS} TIMEOUT ${timeout} ENVIRONMENT "${OURO_MPI_ENVIRONMENT}")
endfunction()

# ouro_program_test(SCRIPT file.py [TIMEOUT seconds])
#
# A Python script that runs the whole program, which it finds in the environment as OUROBOROS (and mpiexec as
# MPIEXEC), and exits with 0 if all is well, with 77 if it cannot be made here.
function(ouro_program_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SCRIPT;TIMEOUT" "")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  ouro_test_timeout(${arg_TIMEOUT} timeout)
  cmake_path(GET arg_SCRIPT STEM name)
  add_test(NAME program.${name} COMMAND ${Python3_EXECUTABLE} ${arg_SCRIPT})
  set_tests_properties(program.${name} PROPERTIES
    PROCESSORS 2 TIMEOUT ${timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "${OURO_MPI_ENVIRONMENT};OUROBOROS=$<TARGET_FILE:ouroboros>;MPIEXEC=${MPIEXEC_EXECUTABLE}")
endfunction()
